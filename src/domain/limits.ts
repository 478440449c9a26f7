/*
 * What clients may say of photos and ask about them, in characters (code points). Only what clients send is held to it; what
 * other nodes have written is taken as it is.
 */
export const NAME_CHARACTERS_MAX = 200
/** Of a tag, or of an album's name. */
export const LABEL_CHARACTERS_MAX = 100
/** Tags of a photo, and albums that it is in; of each so many. */
export const LABELS_MAX = 500
/** A rating is a whole number from 0. */
export const RATING_MAX = 5
/** Of a text that photos are searched by. */
export const SEARCH_CHARACTERS_MAX = 1_000
