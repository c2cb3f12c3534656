// Passkeys: asks this broker for a challenge, the browser for its answer, and posts that with the form. It writes text only.
(() => {
  'use strict';
  const d = document, P = window.PublicKeyCredential, form = d.querySelector('form[data-passkey]'), go = d.querySelector('[data-passkey-go]');
  if (!form || !go || !navigator.credentials || !P || !P.parseRequestOptionsFromJSON || !P.parseCreationOptionsFromJSON) return;
  const make = 'make' in form.dataset, say = form.querySelector('[data-passkey-say]');
  let running, asked = false;
  const tell = (text) => { say.textContent = text; say.hidden = !text; };
  const ask = async (quiet) => {
    running?.abort(); const mine = running = new AbortController(); tell('');
    try {
      const res = await fetch(form.dataset.passkey, { method: 'POST', credentials: 'same-origin', signal: mine.signal });
      if (res.status === 403 && form.dataset.again) { location.assign(form.dataset.again); return; }
      if (!res.ok) throw new Error('the broker answered ' + res.status);
      const { publicKey } = await res.json(), signal = mine.signal;
      const c = await (make ? navigator.credentials.create({ publicKey: P.parseCreationOptionsFromJSON(publicKey), signal })
        : navigator.credentials.get({ publicKey: P.parseRequestOptionsFromJSON(publicKey), signal, ...(quiet && { mediation: 'conditional' }) }));
      form.elements.credential.value = JSON.stringify(c.toJSON()); form.submit();
    } catch (e) {
      if (mine === running && !quiet) tell(e.name === 'InvalidStateError' ? 'This device has a passkey for this broker already.' : 'No passkey was used. Try again' + (make ? '.' : ', or use the password.'));
    }
  };
  go.hidden = false;
  go.addEventListener('click', () => { if (!make || form.reportValidity()) { asked = true; ask(false).finally(() => { asked = false; }); } });
  // Where the browser can, it offers passkeys in the name field. A challenge is good for five minutes.
  if (!make) P.isConditionalMediationAvailable?.().then((can) => { if (can) { ask(true); setInterval(() => { if (!asked) ask(true); }, 240000); } });
})();
