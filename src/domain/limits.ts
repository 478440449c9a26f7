/*
 * What clients may say of photos and ask about them, in characters (code points). Only what clients send is held to it; what
 * other nodes have written is taken as it is.
 */
export const NAME_CHARACTERS_MAX = 200
/** Of a tag, or of an album's name. */
export const LABEL_CHARACTERS_MAX = 100
/** Tags of a photo, and albums that it is in; of each so many. */
export const LABELS_MAX = 500
/** Of the text below the title of an album. The title is a label. */
export const ALBUM_CAPTION_CHARACTERS_MAX = 2_000
/** Albums that are not deleted. */
export const ALBUMS_MAX = 10_000
/** Albums that a node knows by title, from wherever they are: several nodes may each have made as many as there may be. */
export const ALBUMS_HELD_MAX = 4 * ALBUMS_MAX
/** Albums that an album may stand in, one in the other. */
export const ALBUM_DEPTH_MAX = 16
/** Combinations of an owner and albums, of all photos, that a node holds to know whose lists they are in. */
export const AUDIENCES_HELD_MAX = 20_000
/** Of so many people a node holds what they see. */
export const VIEWERS_HELD_MAX = 1_000
/** A rating is a whole number from 0. */
export const RATING_MAX = 5
/** Of a text that photos are searched by. */
export const SEARCH_CHARACTERS_MAX = 1_000
/** Of the folder that a file was in, and of where it was imported from, bytes of UTF-8. */
export const SOURCE_BYTES_MAX = 200
/** When a file was last changed, at most so far from 1970: in the years 2 to 3937. */
export const FILE_TIME_MS_MAX = 62_100_000_000_000
/** By how much dates may be shifted at once, seconds: a hundred years. */
export const SHIFT_S_MAX = 3_155_760_000
/** Photos in one ZIP file, and of those how many may be named one by one. */
export const ZIPPED_PHOTOS_MAX = 20_000
export const ZIPPED_IDS_MAX = 300
/** Media types that statistics tell. */
export const STATS_TYPES_MAX = 1_000
/** Photos that one call may merge into another one, and those of a group of duplicates that are named. */
export const MERGED_PHOTOS_MAX = 1_000
/** Photos that can be told apart from each other at once, and those from which. */
export const DISTINCT_IDS_MAX = 100
/** Photos that are looked up by id at once. */
export const LOOKUP_IDS_MAX = 1_000
/** Originals that can be asked for at once. */
export const DIGESTS_MAX = 1_000
/** To whom one album was ever given a role, one by one. */
export const SHARES_MAX = 1_000
/** Of the name of a group of people. */
export const GROUP_NAME_CHARACTERS_MAX = 64
/** Groups of people that are not deleted. */
export const GROUPS_MAX = 1_000
/** Groups that a node knows, from wherever they are: several nodes may each have made as many as there may be. */
export const GROUPS_HELD_MAX = 4 * GROUPS_MAX
/** Of a group, besides its owner. */
export const MEMBERS_MAX = 1_000
/** Groups that somebody is in. */
export const GROUPS_OF_USER_MAX = 100
/** Accounts, closed ones included, since none is ever deleted. */
export const USERS_MAX = 10_000
/** Accounts that a node knows by name, from wherever they are: several nodes may each have made as many as there may be. */
export const USERS_HELD_MAX = 4 * USERS_MAX
/** Of the name that a person logs in with. */
export const USER_NAME_CHARACTERS_MAX = 64
/** Of the name that others see. */
export const DISPLAY_CHARACTERS_MAX = 100
/** An address of mail, as SMTP bounds it. */
export const MAIL_CHARACTERS_MAX = 254
/** Of a password, after NFC. */
export const PASSWORD_CHARACTERS_MIN = 8
export const PASSWORD_CHARACTERS_MAX = 256
/** Of what says which device a session is of, or what an API key is for. */
export const CREDENTIAL_LABEL_CHARACTERS_MAX = 100
/** Live sessions of a user; one more ends the oldest. */
export const SESSIONS_MAX = 100
/** API keys of a user. */
export const API_KEYS_MAX = 100
/** Invites that somebody may still use. */
export const INVITES_MAX = 100
/** How long an invite may be used at most, days. */
export const INVITE_DAYS_MAX = 90
/** Share links of an account that are not withdrawn. */
export const LINKS_MAX = 500
/** Photos that one share link can show by naming them. */
export const LINKED_PHOTOS_MAX = 500
/** Share links that a browser has open at once. */
export const OPENED_LINKS_MAX = 8
/** Photos that can be changed at once by naming what they are found by; 16 bytes of memory each. */
export const SELECTED_PHOTOS_MAX = 1_000_000
