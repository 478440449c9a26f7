import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../../core/clock.js'
import { type ErrorCode, SheafError } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import type { Forwarded } from '../wire/forwarded.js'
import { fromFastify } from '../wire/framework-errors.js'
import { type Problem, problemHeaders, problemOf, sendProblem } from '../wire/problem.js'
import { requestIdOf } from '../wire/request-ids.js'
import { RouteTable } from './route-table.js'
import { PATTERN_FAULTS } from './schemas/common.js'

export interface RefusalsComponents {
  readonly clock: Clock
  readonly log: Logger
  readonly onProblem: (code: ErrorCode) => void
  readonly forwarded: Forwarded
}

export interface RefusalsInit {
  readonly lingerMs: number
  /** Said of a path that does not exist. */
  readonly noSuchPath: string
}

/** Answers all that an app of Fastify does not: every error as a problem, paths that there are not, methods that they lack. */
export class Refusals {
  readonly #components: RefusalsComponents
  readonly #init: RefusalsInit
  readonly #table = new RouteTable()

  constructor(components: RefusalsComponents, init: RefusalsInit) {
    this.#components = components
    this.#init = init
  }

  /** For errors that come before any route. */
  readonly refuse = (error: unknown, request: FastifyRequest, reply: FastifyReply): void =>
    this.refuseAs(problem => problem, error, request, reply)

  /** @param form - how an error is shown */
  refuseAs(form: (problem: Problem) => Problem, error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const { clock, log, onProblem, forwarded } = this.#components
    const known = fromFastify(error, PATTERN_FAULTS)
    onProblem(known instanceof SheafError ? known.code : 'ERR_INTERNAL')
    reply.hijack()
    const { address: client } = forwarded.senderOf(request.raw)
    const about = { requestId: requestIdOf(reply.raw), client }
    const problem = form(problemOf(known, log, problemHeaders(known), about))
    sendProblem(request.raw, reply.raw, problem, { clock }, this.#init.lingerMs)
  }

  /** @param app - to be given before its routes are added, and after the hooks that come before a path is looked at */
  attachTo(app: FastifyInstance): void {
    app.setErrorHandler(this.refuse)
    app.addHook('onRoute', ({ url, method }) => this.#table.add(url, [method].flat()))
    // here, and not in a handler: a body that nobody wants is not read, nor is it looked at what type it has
    app.addHook('onRequest', async request => {
      if (!request.is404) return
      const allow = this.allow(request.raw.url)
      if (allow === '') throw new SheafError('ERR_NOT_FOUND', this.#init.noSuchPath)
      throw new SheafError('ERR_METHOD_NOT_ALLOWED', undefined, { details: { allow } })
    })
  }

  /** @returns the methods that a path has, as `Allow` lists them; empty: there is no such path */
  allow(url: string = ''): string {
    return this.#table.methodsOf(url).join(', ')
  }
}
