import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { ProgressBar } from '../../../../src/cli/shell/progress.js'
import { type Output, Terminal } from '../../../../src/cli/shell/terminal.js'
import type { Clock } from '../../../../src/core/clock.js'

function memoryOutput(isTTY: boolean, columns: number): { output: Output; text: () => string } {
  let text = ''
  const stream = new Writable({
    write: (piece, _encoding, done) => {
      text += String(piece)
      done()
    }
  })
  return { output: Object.assign(stream, { isTTY, columns }), text: () => text }
}

function setUp(isTTY = true, columns = 100) {
  const clock = { ms: 0, monotonic: () => clock.ms }
  const stdout = memoryOutput(false, columns)
  const stderr = memoryOutput(isTTY, columns)
  const terminal = new Terminal(stdout.output, stderr.output, new AbortController().signal)
  const bar = new ProgressBar({ clock: clock as unknown as Clock, terminal }, { bytesTotal: 10_000_000, filesTotal: 4 })
  return { clock, terminal, bar, stdout, stderr }
}

test('the line shows share, bytes, files, and from the first second on rate and time left', () => {
  const { clock, bar } = setUp()
  expect(bar.line()).toBe(`  0 % ${'░'.repeat(20)}  0 B of 10.0 MB  0 of 4 files`)
  clock.ms = 2_000
  bar.addBytes(2_500_000)
  bar.endFile(0)
  expect(bar.line()).toBe(` 25 % █████${'░'.repeat(15)}  2.50 MB of 10.0 MB  1 of 4 files  1.25 MB/s  6 s left`)
})

test('a narrow terminal has a shorter bar', () => {
  expect(setUp(true, 80).bar.line()).toContain(`  0 % ${'░'.repeat(10)}  0 B`)
})

test('bytes that will never be sent leave the total, bytes sent again leave the sum', () => {
  const { bar } = setUp()
  bar.addBytes(1_000_000)
  bar.addBytes(-1_000_000)
  bar.endFile(5_000_000)
  expect(bar.line()).toMatch(/ {2}0 % .* 0 B of 5.00 MB {2}1 of 4 files/)
  bar.addBytes(5_000_000)
  expect(bar.line()).toMatch(/^100 % /)
})

test('it is drawn at most ten times a second, cut to the terminal, and leaves no trace', () => {
  const { clock, bar, stderr } = setUp(true, 40)
  for (let ms = 0; ms < 1_000; ms += 10) {
    clock.ms = ms
    bar.addBytes(1)
  }
  const draws = stderr.text().split('%').length - 1
  expect(draws).toBe(10)
  for (const line of stderr.text().split('\r\x1b[K')) expect(line.length).toBeLessThan(40)
  bar.finish()
  expect(stderr.text().endsWith('\r\x1b[K')).toBe(true)
})

test('where there is no terminal nothing is drawn', () => {
  const { bar, stderr } = setUp(false)
  bar.addBytes(1)
  bar.finish()
  expect(stderr.text()).toBe('')
})

test('results and notes appear above the line', async () => {
  const { terminal, stdout, stderr } = setUp()
  terminal.live('working')
  terminal.note('a note')
  await terminal.print('a result')
  expect(stderr.text()).toBe('working\r\x1b[Ka note\nworking\r\x1b[Kworking')
  expect(stdout.text()).toBe('a result\n')
})
