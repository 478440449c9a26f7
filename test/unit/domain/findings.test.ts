import { describe, expect, it } from 'vitest'
import type { ModelId } from '../../../src/domain/features.js'
import {
  featuresChange,
  featuresFailedChange,
  headChange,
  imageChange,
  isUnseenBy,
  linkChange,
  phashChange,
  unlinkChange,
  viewFindings
} from '../../../src/domain/findings.js'
import type { ActorId, PhotoId } from '../../../src/domain/ids.js'
import { createChanges, deleteChanges, undeleteChanges } from '../../../src/domain/photo.js'
import { type Change, changeRecord, type DirectoryRecord, mergeRecords } from '../../../src/domain/record.js'
import { decodeRecord, encodeRecord } from '../../../src/domain/record-codec.js'
import { termsOf } from '../../../src/domain/terms.js'
import { ACTORS, countingStamper, NOW_MS, PHOTO_BIRTH, PHOTO_KEY } from '../../support/domain-arbitraries.js'

const [A, B] = ACTORS as [ActorId, ActorId]
const MODEL = '0123456789abcdef' as ModelId
const OTHER_MODEL = 'fedcba9876543210' as ModelId
const OTHER = '01890000-0000-7000-8000-000000000001' as PhotoId

function write(before: DirectoryRecord | undefined, changes: readonly Change[], actor = A): DirectoryRecord {
  return decodeRecord(encodeRecord(changeRecord(PHOTO_KEY, before, countingStamper(actor, NOW_MS), changes)))
}

const born = write(undefined, createChanges(PHOTO_BIRTH))
const hash = (digit: string): string => digit.repeat(64)

describe('findings', () => {
  it('are none at first', () => {
    const findings = viewFindings(born)
    expect(findings.image).toBeUndefined()
    expect(findings.phash).toBeUndefined()
    expect([findings.features.size, findings.failed.size, findings.links.size, findings.unlinks.size]).toEqual([
      0, 0, 0, 0
    ])
  })

  it('are decoded as they were written', () => {
    const record = write(born, [
      headChange(2, 'heic'),
      imageChange({ state: 'whole', reader: 3, decoder: 'test' }),
      phashChange(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)),
      featuresChange(MODEL, { sha256: hash('a'), size: 4140 }),
      featuresFailedChange(OTHER_MODEL, 'ERR_IMAGE_UNREADABLE'),
      linkChange(OTHER, { tier: 'near', score: 0.93 }),
      unlinkChange(OTHER)
    ])
    expect(viewFindings(record)).toEqual({
      head: { reader: 2, format: 'heic' },
      image: { state: 'whole', error: undefined, wants: undefined, reader: 3 },
      phash: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
      features: new Map([[MODEL, { sha256: hash('a'), size: 4140 }]]),
      failed: new Map([[OTHER_MODEL, 'ERR_IMAGE_UNREADABLE']]),
      links: new Map([[OTHER, { tier: 'near', score: 0.93 }]]),
      unlinks: new Set([OTHER])
    })
  })

  it('of before say less, and are understood', () => {
    const old = (error?: string): DirectoryRecord => {
      const value = new Map(error === undefined ? [] : [['error', error]])
      return write(born, [{ kind: 'add', field: 'facts', key: 'image', value }])
    }
    expect(viewFindings(old())).toMatchObject({ head: undefined, image: { state: 'whole', reader: 0 } })
    const { image } = viewFindings(old('ERR_IMAGE_UNREADABLE'))
    expect(image).toMatchObject({ state: 'none', error: 'ERR_IMAGE_UNREADABLE', reader: 0 })
    expect(isUnseenBy(1, image)).toBe(true)
  })

  it('that nothing can be seen for lack of a tool are no failure, but are one to versions before', () => {
    const look = { state: 'none', error: 'ERR_IMAGE_UNREADABLE', wants: 'heif', reader: 1, decoder: 'test' } as const
    const record = write(born, [imageChange(look)])
    const { image } = viewFindings(record)
    expect(image).toMatchObject({ state: 'none', error: undefined, wants: 'heif' })
    expect(isUnseenBy(1, image)).toBe(false)
    expect(isUnseenBy(2, image)).toBe(true)
    const fact = record.entries.find(({ key }) => key === 'image')
    expect(fact?.value.get('error')).toBe('ERR_IMAGE_UNREADABLE')
  })

  it('of later versions in states that are not known here are a picture, or none', () => {
    const record = (error: string | undefined): DirectoryRecord =>
      write(born, [imageChange({ state: 'dreamt' as 'whole', error, reader: 9, decoder: 'test' })])
    expect(viewFindings(record(undefined)).image?.state).toBe('whole')
    expect(viewFindings(record('ERR_IMAGE_TOO_LARGE')).image?.state).toBe('none')
    expect(isUnseenBy(1, viewFindings(record('ERR_IMAGE_TOO_LARGE')).image)).toBe(false)
  })

  it('have terms for the reader and the state, once the head was read', () => {
    const terms = (record: DirectoryRecord): string[] => termsOf(record).filter(term => /^(head|state)\0/.test(term))
    const look = imageChange({ state: 'none', error: 'ERR_IMAGE_TOO_LARGE', reader: 1, decoder: 'test' })
    expect(terms(write(born, [look]))).toEqual([])
    expect(terms(write(born, [headChange(1, undefined)]))).toEqual([`head\0${1}`, 'state\0pending'])
    expect(terms(write(born, [headChange(1, 'png'), look]))).toEqual([`head\0${1}`, 'state\0none'])
  })

  it('of two nodes that differ are resolved alike everywhere, and a success beats a failure', () => {
    const here = write(born, [featuresChange(MODEL, { sha256: hash('b'), size: 1 })])
    const there = write(born, [featuresChange(MODEL, { sha256: hash('a'), size: 2 })], B)
    const failed = write(born, [featuresFailedChange(MODEL, 'ERR_IMAGE_CRASHED')], B)
    for (const merged of [mergeRecords(here, there), mergeRecords(there, here)]) {
      expect(viewFindings(merged).features.get(MODEL)).toEqual({ sha256: hash('a'), size: 2 })
    }
    for (const merged of [mergeRecords(here, failed), mergeRecords(failed, here)]) {
      expect(viewFindings(merged).features.has(MODEL)).toBe(true)
      expect(viewFindings(merged).failed.size).toBe(0)
    }
  })

  it('are found by their terms, and features go with a delete', () => {
    const record = write(born, [
      imageChange({ state: 'none', error: 'ERR_IMAGE_UNREADABLE', reader: 1, decoder: 'test' }),
      featuresChange(MODEL, { sha256: hash('a'), size: 1 }),
      linkChange(OTHER, { tier: 'similar', score: 0.8 })
    ])
    const terms = ['looked', `features\0${MODEL}`, 'linked', `link\0${OTHER}`]
    expect(termsOf(record)).toEqual(expect.arrayContaining(terms))
    const dead = write(record, deleteChanges(record))
    expect(termsOf(dead)).toEqual(['trash', 'trash-owner\0-', expect.stringMatching(/^trashed\0/)])
    const back = write(dead, undeleteChanges(dead, ['orig']))
    expect(viewFindings(back).features.size).toBe(0)
    expect(viewFindings(back).links.size).toBe(1)
  })
})
