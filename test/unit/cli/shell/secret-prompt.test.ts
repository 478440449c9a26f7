import { Readable, Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { askSecrets, type SecretQuestion } from '../../../../src/cli/shell/secret-prompt.js'
import { Terminal } from '../../../../src/cli/shell/terminal.js'

async function answersTo(
  questions: readonly SecretQuestion[],
  pieces: readonly (string | Buffer)[],
  isTTY: boolean
): Promise<{ answers: string[]; shown: string }> {
  let shown = ''
  const output = Object.assign(
    new Writable({
      write: (piece: Buffer, _encoding, done) => {
        shown += piece.toString()
        done()
      }
    }),
    { isTTY }
  )
  const { signal } = new AbortController()
  const stdin = () => Object.assign(Readable.from(pieces), { isTTY })
  const answers = await askSecrets({ terminal: new Terminal(output, output, signal), stdin, signal }, questions)
  return { answers, shown }
}

const NEW = { text: 'Password', isNew: true }

test('a person is asked twice for a new one, and nothing that is typed shows', async () => {
  const { answers, shown } = await answersTo(
    [{ text: 'Old password' }, NEW],
    ['old one\r', 'secrets\x7f 1\r', 'secret 1\r'],
    true
  )
  expect(answers).toEqual(['old one', 'secret 1'])
  expect(shown).toBe('Old password: \nPassword: \nPassword, again: \n')
})

test.each([
  [['one\r', 'two\r'], 'not the same'],
  [['\r'], 'no password'],
  [['\x03'], 'interrupted']
])('%j changes nothing', async (typed, why) => {
  await expect(answersTo([NEW], typed, true)).rejects.toThrow(why)
})

test('a program gives one line of stdin for each, however it comes', async () => {
  const [head, tail] = [Buffer.from('grün\r\nblau').subarray(0, 3), Buffer.from('grün\r\nblau').subarray(3)]
  expect(await answersTo([{ text: 'Old' }, NEW], [head, tail], false)).toEqual({ answers: ['grün', 'blau'], shown: '' })
})

test.each([
  [[''], 'line of stdin'],
  [['x'.repeat(5_000), '\nmore'], '4096 bytes']
])('no line, or one that is too long, is refused (%#)', async (pieces, why) => {
  await expect(answersTo([NEW], pieces, false)).rejects.toThrow(why)
})
