/** Holds the imports against the floors of the house, and counts the modules it saw: a checker that reads nothing finds nothing. */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { cruise, type ICruiseResult, type IFlattenedRuleSet } from 'dependency-cruiser';
import extractTsConfig from 'dependency-cruiser/config-utl/extract-ts-config';

const root = join(import.meta.dirname, '..');
process.chdir(root);
const { forbidden, options } = createRequire(import.meta.url)('../.dependency-cruiser.cjs') as IFlattenedRuleSet & { options: object };
const { output } = await cruise(['src'], { ...options, validate: true, ruleSet: { forbidden } as IFlattenedRuleSet }, undefined, {
  tsConfig: extractTsConfig('tsconfig.json'),
});
const { modules, summary } = output as ICruiseResult;
const seen = modules.filter(({ source }) => source.startsWith('src/') && source.endsWith('.ts')).length;
const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts')).length;
for (const { rule, from, to } of summary.violations) console.error(`${rule.name}: ${from} → ${to}`);
console.log(`layers: ${seen} of ${files} modules, ${summary.totalDependenciesCruised} imports, ${summary.violations.length} violations`);
if (seen !== files || summary.violations.length > 0) process.exitCode = 1;
