import type { Command } from 'commander';
import { type CommandContext, exitCodes, writeJson } from '../context.js';
import type { Check, CheckStatus } from '../doctor/check.js';
import type { Channel } from '../terminal/channel.js';

interface DoctorOptions {
  json?: boolean;
}

/** Adds `doctor`. */
export function addDoctorCommand(program: Command, context: CommandContext): void {
  program
    .command('doctor')
    .summary('check what this machine has and lacks')
    .description(
      'Check what this machine has and lacks. The exit code is 0 if it can generate text, otherwise 1.',
    )
    .option('--json', 'print one JSON object')
    .action((options: DoctorOptions) => doctor(context, options));
}

async function doctor(context: CommandContext, options: DoctorOptions): Promise<void> {
  const { examine } = await import('../doctor/examine.js');
  const checks = await examine(context);
  const isReady = checks.every((check) => check.status !== 'failed');
  context.exitCode = isReady ? exitCodes.ok : exitCodes.failure;
  if (options.json === true) {
    writeJson(context, { ready: isReady, checks });
    return;
  }
  context.output.write(renderChecks(checks, context.output.colours));
  context.output.write(
    isReady
      ? '\nThis machine can generate text.\n'
      : '\nThis machine cannot generate text yet: see ✗ above.\n',
  );
}

/** One block per check: symbol, name and finding, and below them the remedy. */
export function renderChecks(checks: readonly Check[], colours: Channel['colours']): string {
  const symbols: Record<CheckStatus, string> = {
    ok: colours.green('✓'),
    warning: colours.yellow('!'),
    failed: colours.red('✗'),
  };
  const width = Math.max(...checks.map((check) => check.name.length));
  const indent = ' '.repeat(width + 4);
  const block = (text: string) => text.trimEnd().replaceAll('\n', `\n${indent}`);
  const lines = checks.flatMap(({ name, status, detail, remedy }) => [
    `${symbols[status]} ${colours.bold(name.padEnd(width))}  ${block(detail)}`,
    ...(remedy === undefined ? [] : [`${indent}${colours.yellow('→')} ${block(remedy)}`]),
  ]);
  return `${lines.join('\n')}\n`;
}
