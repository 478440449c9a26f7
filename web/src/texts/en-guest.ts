/** What the page says to whoever has come by a link; loaded with it. */
export const words = {
  title: 'Photos for you',
  needsPassword: 'This link has a password. Whoever sent you the link knows it.',
  password: 'Password of the link',
  open: 'Open',
  notOpen: 'No link is open here any more. Open its address again, or ask whoever sent it.',
  photos: 'Shared photos',
  none: 'There are no photos here.',
  close: 'Close the link',
  closed: 'Closed',
  logIn: 'Log in',
  goToPhotos: 'Go to the photos'
}
