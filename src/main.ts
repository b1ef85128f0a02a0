#!/usr/bin/env node
/** The command line: `twinbox run`, `demo`, `check`, `backup`, `restore`, `token`. */
import { Command, CommanderError } from 'commander';
import { version } from './app/version.ts';
import { EXIT } from './cli/exit.ts';

function program(): Command {
  const root = new Command('twinbox')
    .description('Edge gateway: OPC UA, Modbus and MQTT into a local time-series store, live twins and HTTP APIs.')
    .version(version(), '-V, --version')
    .exitOverride()
    .showSuggestionAfterError();
  root
    .command('run')
    .description('run the daemon')
    .requiredOption('-c, --config <file>', 'the configuration file')
    .option('--data-dir <dir>', 'overrides data_dir')
    .option('--listen <host:port>', 'overrides api.listen')
    .action(async (options: { config: string; dataDir?: string; listen?: string }) =>
      leaveWith((await import('./cli/run.ts')).runDaemon(options)),
    );
  root
    .command('demo')
    .description('run simulated devices and the daemon, all on this machine')
    .option('--dir <dir>', 'where the demo keeps its files', './twinbox-demo')
    .option('--listen <host:port>', 'where the API listens', '127.0.0.1:3000')
    .action(async (options: { dir: string; listen: string }) => leaveWith((await import('./cli/demo.ts')).runDemo(options)));
  root
    .command('check')
    .description('check a configuration file; every fault with its place')
    .argument('<file>')
    .action(async (file: string) => exitWith((await import('./cli/check.ts')).runCheck(file)));
  addBackupCommands(root);
  addTokenCommands(root.command('token').description('make, list and revoke API tokens; works while the daemon runs'));
  return root;
}

interface DataDirOption {
  readonly dataDir: string;
}

function addBackupCommands(root: Command): void {
  root
    .command('backup')
    .description('save everything that the daemon keeps into one archive; works while the daemon runs')
    .argument('<file>', 'the archive, which must not exist')
    .option('-c, --config <file>', 'the configuration, which tells the data directory and where the API listens')
    .option('--data-dir <dir>', 'the data directory of the daemon; /var/lib/twinbox unless the configuration says another')
    .option('--url <url>', 'the API of the running daemon, such as http://127.0.0.1:3000')
    .option('--token <token>', 'an admin token; that of admin.token in the data directory when absent')
    .action(async (file: string, options: { config?: string; dataDir?: string; url?: string; token?: string }) =>
      exitWith((await import('./cli/backup.ts')).runBackup(file, options)),
    );
  root
    .command('restore')
    .description('bring a backup back into the data directory of a stopped daemon')
    .argument('<file>', 'the archive')
    .requiredOption('--data-dir <dir>', 'the data directory; must be empty')
    .option('--force', 'moves what is in the data directory aside')
    .action(async (file: string, options: { dataDir: string; force?: boolean }) =>
      exitWith((await import('./cli/restore.ts')).runRestore(file, options)),
    );
}

function addTokenCommands(token: Command): void {
  const dataDir = ['--data-dir <dir>', 'the data directory of the daemon', '/var/lib/twinbox'] as const;
  token
    .command('create')
    .description('make a token; it is printed once, alone on the last line')
    .requiredOption('--name <name>', 'what the token is for')
    .option('--tenant <tenant>', 'the tenant it is bound to', 'default')
    .option('--scopes <list>', 'comma-separated scopes', 'read:assets,read:telemetry')
    .option('--expires <duration>', 'such as 90d; absent: never')
    .option(...dataDir)
    .action(async (options: DataDirOption & { name: string; tenant: string; scopes: string; expires?: string }) =>
      exitWith((await import('./cli/token.ts')).createToken(options)),
    );
  token
    .command('list')
    .description('list tokens')
    .option(...dataDir)
    .action(async (options: DataDirOption) => exitWith((await import('./cli/token.ts')).listTokens(options)));
  token
    .command('revoke')
    .description('revoke a token')
    .argument('<id>')
    .option(...dataDir)
    .action(async (id: string, options: DataDirOption) => exitWith((await import('./cli/token.ts')).revokeToken(id, options)));
}

/** A daemon that has ended leaves, whatever timer or socket of a library is still there. */
async function leaveWith(code: Promise<number>): Promise<void> {
  await exitWith(code);
  process.stdout.write('', () => process.exit());
}

async function exitWith(code: Promise<number>): Promise<void> {
  process.exitCode = await code;
}

try {
  await program().parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage; // the message is on stderr already
}
