import { render } from 'preact'
import { Page } from './page.js'
import { listenToKeys } from './parts/keys.js'
import { App, AppContext } from './state/app.js'
import { keepOperatorToken } from './state/operator.js'

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
