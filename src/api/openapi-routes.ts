/** Where the API's description and its page are read: without a token, from this box alone. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { tagged } from './conditional.ts';
import { openApiDocument } from './openapi.ts';
import type { Operation } from './operation.ts';
import { type Answer, documented, publicRoute, type Route } from './route.ts';

/** Path → file beside this one (or beside the bundle), and what it is. The list is all that can be read. */
const ASSETS = [
  { path: '/docs', file: 'page.html', type: 'text/html; charset=utf-8', id: 'getDocsPage', summary: 'Read this description as a page' },
  { path: '/docs/page.css', file: 'page.css', type: 'text/css; charset=utf-8', id: 'getDocsStyle', summary: 'Load the style of that page' },
  {
    path: '/docs/page.js',
    file: 'page.js',
    type: 'text/javascript; charset=utf-8',
    id: 'getDocsScript',
    summary: 'Load the script of that page',
  },
] as const;

const GROUP = 'Description';

const GET_OPENAPI: Operation = {
  id: 'getOpenApi',
  summary: 'Read the description of this API',
  group: GROUP,
  answers: [{ status: 200, description: 'OpenAPI 3.1', type: 'application/json', etag: 'body' }],
  errors: [],
};

const GET_FAVICON: Operation = {
  id: 'getFavicon',
  summary: 'Answer the question of every browser',
  group: GROUP,
  answers: [{ status: 204, description: 'There is no icon' }],
  errors: [],
};

/** A browser that reads a page of this box asks for it by itself and without a token: that is no refused call. */
const NO_ICON: Answer = { status: 204, body: undefined, headers: { 'Cache-Control': 'max-age=86400' } };

/** `described` are all other routes; these here are added to the document. */
export function openApiRoutes(described: readonly Route[], version: string): Route[] {
  const pages = ASSETS.map(({ path, file, type, id, summary }) => {
    const answer = asset(type, readFileSync(new URL(`./docs/${file}`, import.meta.url), 'utf8'));
    const operation: Operation = {
      id,
      summary,
      group: GROUP,
      answers: [{ status: 200, description: 'The file', type, etag: 'body' }],
      errors: [],
    };
    return documented(
      operation,
      publicRoute(path, () => answer),
    );
  });
  let document: Answer | undefined;
  const read = () => {
    document ??= asset('application/json', JSON.stringify(openApiDocument(routes, version)));
    return document;
  };
  const own = [
    documented(GET_OPENAPI, publicRoute('/openapi.json', read)),
    documented({ ...GET_OPENAPI, id: 'getOpenApiAlias', description: 'As /openapi.json.' }, publicRoute('/api/docs/openapi.json', read)),
    documented(
      GET_FAVICON,
      publicRoute('/favicon.ico', () => NO_ICON),
    ),
    ...pages,
  ];
  const routes = [...described, ...own];
  return own;
}

/** Nothing of it is secret, and it changes with the version alone: a browser may keep it and ask whether it still holds. */
function asset(type: string, data: string): Answer {
  const answer = { status: 200, body: undefined, content: { type, data }, headers: { 'Cache-Control': 'no-cache' } };
  return tagged(answer, createHash('sha256').update(data).digest('base64url').slice(0, 22), true);
}
