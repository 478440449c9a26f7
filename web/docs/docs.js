/* global SwaggerUIBundle */

// `sheaf start` prints the address of this page with #operator=TOKEN. The token is kept for the tab, and nowhere else.
const KEY = 'sheaf.operator'
const given = new URLSearchParams(location.hash.slice(1)).get('operator')
if (given !== null) {
  sessionStorage.setItem(KEY, given)
  history.replaceState(null, '', location.pathname)
}
const token = sessionStorage.getItem(KEY)

const ui = SwaggerUIBundle({
  dom_id: '#api',
  url: 'openapi.json',
  docExpansion: 'list',
  defaultModelsExpandDepth: -1,
  tryItOutEnabled: true,
  validatorUrl: null,
  onComplete: () => {
    if (token !== null) ui.preauthorizeApiKey('operator', token)
  }
})
