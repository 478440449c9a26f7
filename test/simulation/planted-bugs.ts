import type { SimulationName } from './simulate.js'

/** A change of one source file, as text. */
interface Edit {
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly replace: string
}

/** A test by its name, where simulations replace the code in question. */
export interface CatchingTest {
  readonly file: string
  readonly name: string
}

/** A bug that a design like this one is known to invite, planted on purpose. */
export interface PlantedBug {
  readonly name: string
  readonly caughtBy: SimulationName | CatchingTest
  readonly edits: readonly Edit[]
}

/** Each must be caught by what it names. */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'a live record that comes in is applied without a look at the tombstone',
    caughtBy: 'cluster',
    edits: [
      {
        file: 'src/directory/record-fold.ts',
        find: 'const record = mergeRecords(before.record, came.record)',
        replace: `const lives = !isGrave(came.record) && came.record.entries.every(entry => !entry.deleted)
  const record = lives ? came.record : mergeRecords(before.record, came.record)`
      }
    ]
  },
  {
    name: 'a write is acknowledged before the sync',
    caughtBy: 'node',
    edits: [
      { file: 'src/volumes/write-stages.ts', find: 'await this.#components.file.sync()', replace: 'await undefined' }
    ]
  },
  {
    name: 'a copy is acknowledged before the sync',
    caughtBy: 'cluster',
    edits: [
      {
        file: 'src/volumes/copy-tail.ts',
        find: 'file: volume.file',
        replace:
          'file: { write: (parts, position) => volume.file.write(parts, position), sync: async () => {} } as never'
      }
    ]
  },
  {
    name: 'stamps come from the clock of the node alone',
    caughtBy: 'cluster',
    edits: [
      {
        file: 'src/domain/hlc.ts',
        find: 'for (const stamp of stamps) if (stamp > seen) seen = stamp',
        replace: ''
      }
    ]
  },
  {
    name: 'an undo does not append the bytes anew',
    caughtBy: 'node',
    edits: [
      {
        file: 'src/photos/photo-edits.ts',
        find: 'if (await this.#appendAgain(photo, blob, generation)) restored.push(alt)',
        replace: `if (blob !== undefined) restored.push(alt)`
      }
    ]
  },
  {
    name: 'a volume is retired because unknown needles pass for dead',
    caughtBy: 'node',
    edits: [
      {
        file: 'src/volumes/compaction.ts',
        find: 'if (verdict.isLaidOut === true || this.#drops(verdict, mode)) continue',
        replace: `if (verdict.state === 'unknown' || this.#drops(verdict, mode)) continue`
      }
    ]
  },
  {
    name: "a copy is cut to its writer's length",
    caughtBy: 'cluster',
    edits: [
      {
        file: 'src/replication/volumes/volume-shipping.ts',
        find: 'peers.replace(peer, decodeHeads(body))',
        replace: `peers.replace(peer, decodeHeads(body))
      for (const { volume: id, end } of decodeHeads(body)) {
        const copy = this.#components.volumes.get(id)
        if (copy === undefined || copy.state === 'active' || copy.end <= end) continue
        copy.end = end
        await copy.file.truncate(end)
      }`
      }
    ]
  },
  {
    name: 'a copy whose disk refused once grows no more',
    caughtBy: 'cluster',
    edits: [
      {
        file: 'src/volumes/volume-copies.ts',
        find: "return volume.state === 'closed' || this.#failures.has(volume.id)",
        replace: "return volume.state === 'closed'"
      }
    ]
  },
  {
    name: 'what the directory will refuse is written to the log',
    caughtBy: 'node',
    edits: [{ file: 'src/volumes/log-writer.ts', find: 'this.#components.requireDirectory?.()', replace: '' }]
  },
  {
    name: 'a copy grows on after it was removed, under a number that another volume has by then',
    caughtBy: 'slow',
    edits: [
      {
        file: 'src/volumes/volume-set.ts',
        find: `this.#requireHere(volume)
      volume.noteCommit(group)`,
        replace: 'volume.noteCommit(group)'
      },
      {
        file: 'src/volumes/volume-set.ts',
        find: ' && this.#index.needlesIn(i) === 0',
        replace: ''
      },
      {
        file: 'src/volumes/volume-copies.ts',
        find: `await this.#settle(volume)
      const isGone`,
        replace: 'const isGone'
      },
      {
        file: 'src/volumes/volume.ts',
        find: 'if (!(await this.#hasNeedleAt(offset)))',
        replace: 'if (offset < 0 && !(await this.#hasNeedleAt(offset)))'
      }
    ]
  },
  {
    name: 'a supplier is waited for, however slow it is beside others',
    caughtBy: 'slow',
    edits: [
      {
        file: 'src/replication/volumes/supplier-rates.ts',
        find: 'if (others.length === 0 || !isPeersTime(transfer)) return false',
        replace: 'if (others.length < 1_000 || !isPeersTime(transfer)) return false'
      },
      {
        file: 'src/replication/volumes/range-reader.ts',
        find: 'const isShort = byteCount <= READ_BYTES_MAX',
        replace: 'const isShort = byteCount + READ_BYTES_MAX < 0'
      }
    ]
  },
  {
    name: 'beats queue behind what waits for a disk',
    // streams of real connections are read in order; simulated ones are not
    caughtBy: {
      file: 'test/contract/transport.test.ts',
      name: 'a transport over libp2p a notification that is urgent arrives beside requests and notifications that wait, however many and large'
    },
    edits: [
      {
        file: 'src/network/libp2p/peer-link.ts',
        find: 'const lane = urgent ? this.#urgent : this.#usual',
        replace: 'const lane = urgent ? this.#usual : this.#usual'
      }
    ]
  },
  {
    name: 'merge trims the conflicts',
    caughtBy: 'cluster',
    edits: [
      {
        file: 'src/domain/record.ts',
        find: 'const entries = mergeEntries(a, b)',
        replace: `const entries = mergeEntries(a, b).filter(
    (entry, _, all) => !isVersion(entry) || entry === greatestEntry(all, isVersion)
  )`
      }
    ]
  },
  {
    name: 'shipping stops at a hole',
    caughtBy: 'cluster',
    edits: [
      {
        file: 'src/replication/volumes/volume-shipping.ts',
        find: 'await copies.skip(volume, holeEnd)',
        replace: 'break'
      }
    ]
  },
  {
    name: 'bytes of a peer are forwarded unverified',
    caughtBy: 'cluster',
    edits: [
      {
        file: 'src/volumes/volume.ts',
        find: 'checkBlock(identity, block + at / BLOCK_BYTES, bytes.subarray(at, at + BLOCK_BYTES), checksums, expected)',
        replace: 'void checkBlock'
      },
      {
        file: 'src/replication/volumes/peer-reads.ts',
        find: 'if (!blockIntact(identity, number, block, checksums[number] as number))',
        replace: 'if (number < 0 && !blockIntact(identity, number, block, checksums[number] as number))'
      }
    ]
  },
  {
    name: 'the applied offset is written apart from the records',
    caughtBy: 'node',
    edits: [
      {
        file: 'src/directory/directory.ts',
        find: 'if (plan.operations.length > 0) await database.batch(plan.operations)',
        replace: `const offsets = plan.operations.filter(({ key }) => key[0] === 2)
    const others = plan.operations.filter(({ key }) => key[0] !== 2)
    if (offsets.length > 0) await database.batch(offsets)
    if (others.length > 0) await database.batch(others)`
      },
      {
        file: 'src/directory/directory-view.ts',
        find: 'if (u64From(payload.subarray(8)) > last)',
        replace: 'if (u64From(payload.subarray(8)) > last + 1e9)'
      }
    ]
  },
  {
    name: 'a node uses its epoch again',
    caughtBy: 'cluster',
    edits: [
      {
        file: 'src/volumes/log-writer.ts',
        find: `    this.#init = init
    this.#epoch = newActorId(components.random)`,
        replace: `    this.#init = init
    this.#epoch = Buffer.from(init.origin.subarray(0, 8)).toString('hex') as ActorId`
      },
      {
        file: 'src/volumes/log-writer.ts',
        find: 'const id = volumeId(this.#epoch, ++this.#sequence)',
        replace: `const { has } = this.#components as never as { has: (id: VolumeId) => boolean }
    while (has(volumeId(this.#epoch, this.#sequence + 1))) this.#sequence++
    const id = volumeId(this.#epoch, ++this.#sequence)`
      },
      {
        file: 'src/volumes/volume-set.ts',
        find: 'new LogWriter({ ...components, create, commit }, init)',
        replace: `new LogWriter({ ...components, create, commit, has: id => this.#volumes.has(id) } as never, init)`
      }
    ]
  },
  {
    name: 'a grave spares what lives',
    caughtBy: 'cluster',
    edits: [
      {
        file: 'src/directory/record-fold.ts',
        find: 'const record = mergeRecords(before.record, came.record)',
        replace: `if (isGrave(came.record) && before.record.entries.some(({ deleted }) => !deleted)) return before
  const record = mergeRecords(before.record, came.record)`
      }
    ]
  },
  {
    name: 'what a grave ends is not laid out',
    caughtBy: 'cluster',
    edits: [
      {
        file: 'src/directory/directory.ts',
        find: 'if (doomed.length > 0) await guard.layOut(doomed)',
        replace: 'void doomed'
      }
    ]
  },
  {
    name: 'deletes are buried before their undo period is over',
    caughtBy: 'cluster',
    edits: [
      {
        file: 'src/store/sweep.ts',
        find: 'const overMs = since(heardAt) - undoMs()',
        replace: 'const overMs = since(heardAt)'
      }
    ]
  },
  {
    name: 'what a longer copy of a retired volume holds is not evacuated',
    caughtBy: 'cluster',
    edits: [
      {
        file: 'src/volumes/compaction.ts',
        find: `const moved = await this.#move(volume, 'checked', mode, signal)`,
        replace: 'const moved: number | undefined = 0'
      }
    ]
  },
  {
    name: 'an upload that is refused for want of memory is kept as far as it came',
    caughtBy: 'slow',
    edits: [
      {
        file: 'src/photos/blob-intake.ts',
        find: 'await chunks.add(piece)',
        replace: `await chunks.add(piece).catch(async err => {
          if (options.declaredBytes === undefined)
            await use({ ...meter.end(), start: piece, chunksWritten: 0, tail: piece })
          throw err
        })`
      }
    ]
  }
]
