/*
 * Node 20 lacks `Promise.withResolvers`; without it libp2p ends the process. To be imported before libp2p.
 */
if (!('withResolvers' in Promise)) {
  Object.defineProperty(Promise, 'withResolvers', { value: withResolvers, configurable: true, writable: true })
}

function withResolvers<T>(this: PromiseConstructor): object {
  let resolve: unknown
  let reject: unknown
  const promise = new this<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
