/** Writes the files that are made from schemas: the editors' JSON Schema, the reference, the API's description. `npx tsx scripts/generate-docs.ts` */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createApi } from '../src/api/api.ts';
import { openApiDocument } from '../src/api/openapi.ts';
import type { ApiServices } from '../src/api/services.ts';
import { version } from '../src/app/version.ts';
import { configJsonSchema } from '../src/config/json-schema.ts';
import { systemClock } from '../src/core/clock.ts';
import { silentLog } from '../src/core/log.ts';
import { reference } from './reference.ts';

const INTRODUCTION = `# Configuration

<!-- Made from the schema in src/config by scripts/generate-docs.ts; edit there. -->

twinbox reads one YAML 1.2 file. The shortest useful one has one source with one tag (\`config/minimal.yaml\`);
\`config/example.yaml\` shows all protocols. Check a file before you use it:

\`\`\`console
$ twinbox check config.yaml
config.yaml:4:11 sources.0.config.port – expected number, got string
\`\`\`

Every fault is named with its line and column; the exit status is 0, or 78 when there are faults. Unknown keys are faults.
For completion and checks while you type, start the file with

\`\`\`yaml
# yaml-language-server: $schema=./twinbox.schema.json
\`\`\`

Lists and mappings may be shared by anchors (\`&name\`) and aliases (\`*name\`). A file is at most 8 MiB.

## Secrets

A text may name a secret instead of holding it:

| Form | Takes |
|---|---|
| \`\${env:NAME}\` | the environment variable NAME |
| \`\${file:/path}\` | the content of a file of at most 64 KiB, without the newline at its end; a relative path starts at the configuration file |
| \`\${cred:NAME}\` | the systemd credential NAME (\`LoadCredential=NAME:/path\` in the unit) |

Where \`\${\` itself is meant, write \`$\${\`. A plaintext password, secret or token in a file that its group or others can read is refused:
\`chmod 600\` the file, or name the secret. No message ever shows one.

## Battery profiles

A source of type mqtt may name a \`profile\` instead of tags. It is looked for in \`profiles/NAME.yaml\` beside the configuration file,
then among those that come with twinbox, and expands to tags under each of the source's \`topics\`.

`;

/** Path from the root of the project → what the file must hold. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const schema = configJsonSchema();
  return new Map([
    ['config/twinbox.schema.json', `${JSON.stringify({ title: 'twinbox configuration', ...schema }, null, 2)}\n`],
    ['docs/configuration.md', `${INTRODUCTION}${reference(schema)}`],
    ['docs/openapi.json', `${JSON.stringify(apiDescription(), null, 2)}\n`],
  ]);
}

/** Of the table of routes alone: no route asks its services for anything before it is called. */
function apiDescription(): object {
  const http = { rateLimit: null, corsOrigins: [] };
  const { routes } = createApi({ version: version(), clock: systemClock, log: silentLog, http } as unknown as ApiServices);
  return openApiDocument(routes, version());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, text] of generatedFiles()) writeFileSync(new URL(`../${path}`, import.meta.url), text);
}
