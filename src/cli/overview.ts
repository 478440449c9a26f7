/**
 * What `sheaf` alone prints: every command once, by what people do, on a screen of 24 lines of 80 characters. Written by
 * hand, since commander's own list takes two screens; a test proves that no command is missing.
 */
export const OVERVIEW = `Usage: sheaf COMMAND …    \`sheaf help COMMAND\` says more of one. Exits 0, 1, 2
Run a node
  start                run a node in the foreground; any number make a cluster
  models, keygen       the models that look at photos; a new cluster key
Keep and find photos
  put, get             upload files and folders; download a photo
  ls, trash, info ID   list photos; those deleted; show what is known about one
  tags, albums         list them, with how many photos each has
  rm, undelete ID…     delete photos; bring them back
  import, export       bring photos in, or take them out, with all that is known
  search, similar …    photos of what words say; photos that look like this one
  duplicates           photos that are the same, or look the same
Look after the cluster
  status, members      how the node is doing; who is in the cluster
  volumes, conflicts   what is on disk; edits of a photo that lost to later ones
  verify, scrub        compare volumes and directory; read every byte on disk
  repair, compact      fetch what is missing; free the space of deleted photos
  laid-out, exhume     what graves of other nodes have ended here; bring it back
  backup, restore      a copy of this node elsewhere; make a node of one
  member, leave        remove a member that is gone; take this node out
Have accounts
  login, logout, link  log in to a node, and out of it; links for guests
  whoami, user, group  as whom one asks; accounts of people; groups of them
Also: key, archive, rebuild-directory, log-level, session, version, completion.
`
