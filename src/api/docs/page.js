// The page of the API's description: lists what /openapi.json says and tries a GET. No library, no network but this box.

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function json(value) {
  return element('pre', {}, JSON.stringify(value, null, 2));
}

/** What the page says of a parameter's or a body's shape. */
function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split('/').at(-1);
  if (schema.enum) return schema.enum.join(' | ');
  return [schema.type ?? 'any'].flat().join(' | ');
}

function parameterRow(parameter, canTry) {
  const input = element('input', { name: parameter.name, placeholder: parameter.schema.default ?? '' });
  return element(
    'tr',
    {},
    element('td', {}, element('code', {}, parameter.name), parameter.required ? ' *' : parameter.in === 'header' ? ' (header)' : ''),
    element('td', {}, typeOf(parameter.schema)),
    element('td', {}, parameter.description ?? ''),
    element('td', {}, canTry ? input : ''),
  );
}

function parameterTable(operation, canTry) {
  const rows = (operation.parameters ?? []).map((parameter) => parameterRow(parameter, canTry));
  return rows.length > 0 ? element('table', {}, ...rows) : '';
}

/** What a reference within the description stands for. */
function resolved(value, description) {
  if (value.$ref === undefined) return value;
  return value.$ref
    .split('/')
    .slice(1)
    .reduce((inner, key) => inner[key], description);
}

function responseTable(operation, description) {
  const rows = Object.entries(operation.responses).map(([status, given]) => {
    const response = resolved(given, description);
    const headers = Object.keys(response.headers ?? {}).join(', ');
    return element(
      'tr',
      {},
      element('td', {}, element('code', {}, status)),
      element('td', {}, response.description),
      element('td', {}, headers),
    );
  });
  return element('table', {}, ...rows);
}

/** What the form asks for. */
function requestOf(path, operation, form) {
  const query = new URLSearchParams();
  const headers = {};
  let filled = path;
  for (const { name, in: place } of operation.parameters ?? []) {
    const value = form.elements[name].value;
    if (place === 'path') filled = filled.replace(`{${name}}`, encodeURIComponent(value));
    else if (value !== '' && place === 'header') headers[name] = value;
    else if (value !== '') query.set(name, value);
  }
  return { url: query.size > 0 ? `${filled}?${query}` : filled, headers };
}

async function tryGet({ url, headers }, output) {
  const token = document.getElementById('token').value.trim();
  try {
    const response = await fetch(url, { headers: token === '' ? headers : { ...headers, Authorization: `Bearer ${token}` } });
    const text = await response.text();
    const isJson = (response.headers.get('Content-Type') ?? '').startsWith('application/json');
    output.textContent = `${response.status} ${url}\n${isJson ? JSON.stringify(JSON.parse(text), null, 2) : text}`;
  } catch (error) {
    output.textContent = `${url}\n${error.message}`;
  }
}

/** A GET whose answer has an end and can be read: no stream of events, no archive. */
function isReadable(method, operation) {
  const types = Object.keys(operation.responses[200]?.content ?? {});
  return (
    method === 'get' &&
    types.some((type) => type.startsWith('application/json') || (type.startsWith('text/') && type !== 'text/event-stream'))
  );
}

function operationBox(path, method, operation, description) {
  const canTry = isReadable(method, operation);
  const output = element('pre');
  const form = element('form', {}, parameterTable(operation, canTry), canTry ? element('button', {}, 'Try') : '');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (canTry) void tryGet(requestOf(path, operation, form), output);
  });
  const scope = operation.security.flatMap((one) => Object.values(one).flat()).join(', ') || 'no token needed';
  const media = operation.requestBody?.content['application/json'];
  const answer = Object.values(operation.responses).find((response) => response.content?.['application/json']?.example !== undefined);
  return element(
    'details',
    { 'data-text': `${method} ${path} ${operation.operationId} ${operation.summary}`.toLowerCase() },
    element('summary', {}, element('span', { class: 'method' }, method.toUpperCase()), element('code', {}, path), ` ${operation.summary}`),
    element(
      'div',
      {},
      element('p', {}, operation.description ?? '', ' Scope: ', element('code', {}, scope)),
      form,
      ...(media ? [element('h4', {}, 'Body'), json(media.example)] : []),
      element('h4', {}, 'Answers'),
      responseTable(operation, description),
      ...(answer ? [json(answer.content['application/json'].example)] : []),
      output,
    ),
  );
}

function show(description) {
  document.getElementById('version').textContent = description.info.version;
  const main = document.getElementById('operations');
  for (const { name } of description.tags) {
    main.append(element('h2', {}, name));
    for (const [path, methods] of Object.entries(description.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (operation.tags.includes(name)) main.append(operationBox(path, method, operation, description));
      }
    }
  }
  const schemas = document.getElementById('schemas');
  for (const [name, schema] of Object.entries(description.components.schemas)) {
    schemas.append(element('details', {}, element('summary', {}, name), element('div', {}, json(schema))));
  }
}

document.getElementById('access').addEventListener('submit', (event) => event.preventDefault());
document.getElementById('find').addEventListener('input', (event) => {
  const words = event.target.value.toLowerCase();
  for (const box of document.querySelectorAll('#operations details')) box.hidden = !box.dataset.text.includes(words);
});

fetch('/openapi.json')
  .then((response) => response.json())
  .then(show)
  .catch((error) => {
    document.getElementById('operations').textContent = `The description cannot be read: ${error.message}`;
  });
