import { connect, restore } from './connect.js'
import { ConnectError, type Options } from './types.js'
import type { Session } from './session.js'

/**
 * button makes an ordinary button of the page connect and, once connected, give the access back. It sets the button's text and
 * `aria-busy`, and no style. `on` hears of a session, of its end (undefined), and of an error.
 */
export async function button(el: HTMLButtonElement, o: Options, on: (s: Session | undefined, err?: ConnectError) => void): Promise<void> {
  let session: Session | undefined
  let waiting: AbortController | undefined
  const show = (s: Session | undefined, err?: unknown) => {
    session = s
    el.removeAttribute('aria-busy')
    el.textContent = s ? 'Disconnect from AIPassport' : 'Connect with AIPassport'
    s?.addEventListener('end', () => s === session && show(undefined))
    on(s, err === undefined ? undefined : err instanceof ConnectError ? err : new ConnectError('failed', String(err), { cause: err }))
  }
  el.addEventListener('click', () => {
    waiting?.abort() // a window that was closed cannot be seen from here: who presses again starts anew
    const mine = (waiting = new AbortController())
    el.setAttribute('aria-busy', 'true')
    const done = session ? session.revoke().then(() => undefined) : connect({ ...o, signal: mine.signal })
    done.then(
      (s) => s ? show(s) : el.removeAttribute('aria-busy'),
      (err) => mine.signal.aborted || show(session, err),
    )
  })
  try {
    show(await restore(o))
  } catch (err) {
    show(undefined, err)
  }
}
