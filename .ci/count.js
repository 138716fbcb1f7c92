// Counts a tap run for .ci/run, from its raw TAP and its exit code: prints "passed failed", and on stderr what failed.
import { readFileSync } from 'node:fs'

const [file, exitCode] = process.argv.slice(2)
const mayNotSkip = process.env.PASTELLI_REQUIRE_ALL === '1'

const lines = read(file).split('\n')
const totals = lines.findLast((line) => /^# \{ total: .* \}$/.test(line)) ?? ''
const count = (name) => Number(totals.match(new RegExp(`\\b${name}: (\\d+)`))?.[1] ?? 0)

let failed = count('fail')
if (mayNotSkip) failed += count('skip') + count('todo')
// Tests that all pass in a run that fails: coverage below its threshold, or tap itself.
if (failed === 0 && exitCode !== '0') failed = 1

// tap's own reporters are silent when CI is set.
lines.forEach((line, index) => {
  if (/^ *not ok/.test(line)) console.error([line, ...diagnosis(index + 1)].join('\n'))
  else if (mayNotSkip && /^ *ok .*# (SKIP|TODO)/.test(line)) console.error(line)
})
console.log(count('pass'), failed)

function diagnosis (start) {
  if (lines[start]?.trim() !== '---') return []
  const end = lines.findIndex((line, index) => index > start && line.trim() === '...')
  return lines.slice(start, end + 1)
}

function read (path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
