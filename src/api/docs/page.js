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

function parameterRow(parameter, isGet) {
  const input = element('input', { name: parameter.name, placeholder: parameter.schema.default ?? '' });
  return element(
    'tr',
    {},
    element('td', {}, element('code', {}, parameter.name), parameter.required ? ' *' : ''),
    element('td', {}, typeOf(parameter.schema)),
    element('td', {}, parameter.description ?? ''),
    element('td', {}, isGet ? input : ''),
  );
}

function parameterTable(operation, isGet) {
  const rows = (operation.parameters ?? []).map((parameter) => parameterRow(parameter, isGet));
  return rows.length > 0 ? element('table', {}, ...rows) : '';
}

function responseTable(responses) {
  const rows = Object.entries(responses).map(([status, response]) =>
    element('tr', {}, element('td', {}, element('code', {}, status)), element('td', {}, response.description)),
  );
  return element('table', {}, ...rows);
}

function urlOf(path, operation, form) {
  const query = new URLSearchParams();
  let filled = path;
  for (const { name, in: place } of operation.parameters ?? []) {
    const value = form.elements[name].value;
    if (place === 'path') filled = filled.replace(`{${name}}`, encodeURIComponent(value));
    else if (value !== '') query.set(name, value);
  }
  return query.size > 0 ? `${filled}?${query}` : filled;
}

async function tryGet(url, output) {
  const token = document.getElementById('token').value.trim();
  try {
    const response = await fetch(url, { headers: token === '' ? {} : { Authorization: `Bearer ${token}` } });
    const text = await response.text();
    const isJson = (response.headers.get('Content-Type') ?? '').startsWith('application/json');
    output.textContent = `${response.status} ${url}\n${isJson ? JSON.stringify(JSON.parse(text), null, 2) : text}`;
  } catch (error) {
    output.textContent = `${url}\n${error.message}`;
  }
}

function operationBox(path, method, operation) {
  const isGet = method === 'get';
  const output = element('pre');
  const form = element('form', {}, parameterTable(operation, isGet), isGet ? element('button', {}, 'Try') : '');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void tryGet(urlOf(path, operation, form), output);
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
      responseTable(operation.responses),
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
        if (operation.tags.includes(name)) main.append(operationBox(path, method, operation));
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
