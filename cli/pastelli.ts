/** The command `pastelli`: what is written behind it, and what becomes of it. */
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { bench } from './bench.ts'
import { amount, count, fieldPath, header, seconds, target, UsageError } from './options.ts'
import { tail } from './tail.ts'

const USAGE = 2

const program = new Command('pastelli')
  .description('Watch a stream of server-sent events or NDJSON, or load it.')
  .version(version(), '-V, --version')
  .configureHelp({ showGlobalOptions: false })
  .showHelpAfterError('(--help tells what there is)')
  .exitOverride()

request(program.command('tail'))
  .description('Print the events of a stream as they come. Comes back when the connection is cut, behind what it has.')
  .option('-d, --data <body>', 'send a body, by POST unless -X says otherwise; @file reads a file, - reads stdin')
  .option('-j, --json', 'print an object of JSON a line: {"event":…,"id":…,"data":…}')
  .option('-s, --since <id>', 'start behind the event with this id (Last-Event-ID)')
  .option('-n, --count <n>', 'end after so many events; gaps do not count', count)
  .option('-t, --timestamps', 'print when each event came')
  .option('-v, --verbose', 'print comments, such as heartbeats, and what the server answers')
  .option('-w, --wait', 'keep trying if the first attempt fails, as for a server that is about to start')
  .option('--no-reconnect', 'end when the connection does')
  .option('--heartbeat-timeout <s>', 'ask again when nothing has come for so long, heartbeats counted (default: 45, a WebSocket without positions: 0); 0: wait for ever', amount)
  .addHelpText('after', `
An event is a line: its type, its id (- if it has none), its data. Notices are on stderr.
Over ws:// and wss:// the messages of a WebSocket are printed.

Exit codes: 0 the stream was ended for good, or --count was reached; 1 refused, or it failed; 2 bad usage; 130 Ctrl-C.

Examples:
  pastelli tail http://localhost:3000/prices
  pastelli tail -H "Authorization: Bearer $TOKEN" https://example.com/feed --json | jq .data
  pastelli tail https://example.com/v1/chat/completions -d '{"stream":true,"messages":[]}'`)
  .action(async (url: string, options) => {
    process.exitCode = await tail(await target(url, options), options)
  })

request(program.command('bench'))
  .description('Open many connections to a stream, and measure what comes over them.')
  .option('-c, --connections <n>', 'how many', count, 100)
  .option('-d, --duration <s>', 'measure for so long once they are open', seconds, 10)
  .option('-r, --ramp <s>', 'take no longer to open them', seconds, 30)
  .option('--data <body>', 'send a body, by POST unless -X says otherwise; @file reads a file, - reads stdin')
  .option('--at <path>', 'the field of an event\'s data that says when it was published, ms since 1970, such as meta.sentAt', fieldPath)
  .option('-j, --json', 'print the figures as one object of JSON')
  .addHelpText('after', `
With --at, latency is the time from then until a client has the event: the clocks of both machines must agree.
Without, it is the fan-out spread: the time between the first and the last client that get the same id.
Ctrl-C ends it early, with the figures so far.

Exit codes: 0 measured, 1 no connection was opened, 2 bad usage, 130 Ctrl-C.

Examples:
  pastelli bench http://localhost:3000/prices -c 1000
  pastelli bench http://localhost:3000/prices -c 1000 -d 30 --at sentAt --json`)
  .action(async (url: string, options) => {
    process.exitCode = await bench(await target(url, options, ['http:', 'https:']), options)
  })

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError || error instanceof UsageError)) throw error
  // Commander has told its own already; help is one of them.
  if (error instanceof UsageError) process.stderr.write(`error: ${error.message}\n(--help tells what there is)\n`)
  process.exitCode = error instanceof CommanderError && error.exitCode === 0 ? 0 : USAGE
}

/** What both ask with. */
function request (command: Command): Command {
  return command
    .argument('<url>', 'http:// may be left out')
    .option('-H, --header <line>', 'send a header, such as "Authorization: Bearer …"; repeat it for more', header)
    .option('-X, --request <method>', 'ask by this method (default: GET)')
}

// From dist/cli.
function version (): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}
