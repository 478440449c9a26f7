import './styles/base.css'
import './styles/controls.css'
import './styles/widths.css'
import { render } from 'preact'
import { Page } from './page.js'
import { listenToKeys } from './parts/keys.js'
import { fetchParts } from './parts/lazy.js'
import { App, AppContext } from './state/app.js'
import { keepOperatorToken } from './state/operator.js'

/** By then what is looked at has been fetched. */
const PARTS_AFTER_MS = 5_000

keepOperatorToken()
const app = new App()
app.start()
listenToKeys(document)
render(
  <AppContext.Provider value={app}>
    <Page />
  </AppContext.Provider>,
  document.body
)
app.timers.after(PARTS_AFTER_MS, () => void fetchParts())
