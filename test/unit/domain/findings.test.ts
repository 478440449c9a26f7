import { describe, expect, it } from 'vitest'
import type { ModelId } from '../../../src/domain/features.js'
import {
  featuresChange,
  featuresFailedChange,
  imageChange,
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
      imageChange(),
      phashChange(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)),
      featuresChange(MODEL, { sha256: hash('a'), size: 4140 }),
      featuresFailedChange(OTHER_MODEL, 'ERR_IMAGE_UNREADABLE'),
      linkChange(OTHER, { tier: 'near', score: 0.93 }),
      unlinkChange(OTHER)
    ])
    expect(viewFindings(record)).toEqual({
      image: { error: undefined },
      phash: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
      features: new Map([[MODEL, { sha256: hash('a'), size: 4140 }]]),
      failed: new Map([[OTHER_MODEL, 'ERR_IMAGE_UNREADABLE']]),
      links: new Map([[OTHER, { tier: 'near', score: 0.93 }]]),
      unlinks: new Set([OTHER])
    })
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
      imageChange('ERR_IMAGE_UNREADABLE'),
      featuresChange(MODEL, { sha256: hash('a'), size: 1 }),
      linkChange(OTHER, { tier: 'similar', score: 0.8 })
    ])
    const terms = ['looked', `features\0${MODEL}`, 'linked', `link\0${OTHER}`]
    expect(termsOf(record)).toEqual(expect.arrayContaining(terms))
    const dead = write(record, deleteChanges(record))
    expect(termsOf(dead)).toEqual([])
    const back = write(dead, undeleteChanges(dead, ['orig']))
    expect(viewFindings(back).features.size).toBe(0)
    expect(viewFindings(back).links.size).toBe(1)
  })
})
