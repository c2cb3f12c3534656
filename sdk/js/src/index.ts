/** Connect a web app with AIPassport. The README has the ten lines. */
export { connect, restore } from './connect.js'
export { button } from './button.js'
export { Session } from './session.js'
export { ConnectError, type Ask, type Options, type Remaining, type Standing } from './types.js'
