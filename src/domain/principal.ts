/**
 * Who sends a request, as far as a node can tell.
 *
 * - `anonymous`: sends nothing that names anybody
 * - `operator`: can read the data folder of the node, and so has its token
 */
export type Principal = { readonly kind: 'anonymous' } | { readonly kind: 'operator' }
