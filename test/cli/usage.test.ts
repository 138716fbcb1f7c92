/** What the command says of itself, and of what can't be meant. */
import t from 'tap'
import { run } from '../support/command.ts'

const USAGES: Array<[line: string[], says: RegExp]> = [
  [['tale', 'localhost'], /unknown command 'tale'\n\(Did you mean tail\?\)/],
  [['tail'], /missing required argument 'url'/],
  [['tail', 'localhost', 'other'], /too many arguments/],
  [['tail', 'http://'], /http:\/\/ is no URL/],
  [['tail', 'ftp://localhost'], /ftp:\/\/ can't be asked here: http:\/\/, https:\/\/, ws:\/\/, wss:\/\/ can/],
  [['tail', 'http://ada:100%@localhost'], /a % in them is written %25/],
  [['tail', 'localhost', '-n', '0'], /whole number from 1 up/],
  [['tail', 'localhost', '--heartbeat-timeout', ''], /number of seconds/],
  [['tail', 'localhost', '-H', 'Cookie'], /should look like "Name: value"/],
  [['tail', 'localhost', '-H', 'a: b\nc: d'], /header can't look like that/],
  [['tail', 'localhost', '-X', 'GET', '-d', '1'], /GET takes no body/],
  [['tail', 'localhost', '-d', '@no/such/file'], /no\/such\/file can't be read: ENOENT/],
  [['tail', 'ws://localhost', '-d', '1'], /a WebSocket takes no method and no body/],
  [['bench', 'ws://localhost'], /ws:\/\/ can't be asked here: http:\/\/, https:\/\/ can/],
  [['bench', 'localhost', '-d', '0'], /more than 0/],
  [['bench', 'localhost', '--at', 'a..b'], /should look like sentAt or meta\.sentAt/]
]

await t.test('bad usage is told in a line, with the exit code 2', async (t) => {
  await Promise.all(USAGES.map(async ([line, says]) => {
    const usage = run(t, line)
    t.equal(await usage.ends(), 2, line.join(' '))
    t.match(usage.err, says)
    t.match(usage.err, /--help tells/)
    t.equal(usage.out, '')
  }))
})

t.test('without WebSockets it says how to have them', async (t) => {
  const usage = run(t, ['tail', 'ws://localhost'], 'WebSocket' in globalThis ? ['--no-experimental-websocket'] : [])
  t.equal(await usage.ends(), 2)
  t.match(usage.err, /WebSockets need Node 22/)
})

t.test('--help names every option and each exit code, and shows how it is used', async (t) => {
  const all = run(t, ['--help'])
  t.equal(await all.ends(), 0)
  t.match(all.out, /tail \[options\] <url>/)
  t.match(all.out, /bench \[options\] <url>/)
  const options = {
    tail: ['-H, --header', '-X, --request', '-d, --data', '-j, --json', '-s, --since', '-n, --count', '-t, --timestamps', '-v, --verbose', '-w, --wait', '--no-reconnect', '--heartbeat-timeout'],
    bench: ['-H, --header', '-X, --request', '-c, --connections', '-d, --duration', '-r, --ramp', '--data', '--at', '-j, --json']
  }
  for (const [name, names] of Object.entries(options)) {
    const help = run(t, [name, '--help'])
    t.equal(await help.ends(), 0)
    for (const option of names) t.ok(help.out.includes(`\n  ${option} `), `${name} ${option}`)
    for (const code of [0, 1, 2, 130]) t.match(help.out, new RegExp(`Exit codes:.*\\b${code} `, 's'))
    t.match(help.out, new RegExp(`^ {2}pastelli ${name} http`, 'm'))
  }
})

t.test('with nothing behind it, it says what there is', async (t) => {
  const usage = run(t, [])
  t.equal(await usage.ends(), 2)
  t.match(usage.err, /Usage: pastelli \[options\] \[command\]/)
})

t.test('--version is the package\'s', async (t) => {
  const version = run(t, ['--version'])
  t.equal(await version.ends(), 0)
  t.match(version.out, /^\d+\.\d+\.\d+\n$/)
})
