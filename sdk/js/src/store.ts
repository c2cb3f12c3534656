// What is kept in the browser, in IndexedDB, because only that can hold a key whose private half no script can read.

/** What is kept for a broker and a client: enough to go on after a reload. */
export interface Kept {
  /** ES256, the private half not extractable. */
  keys: CryptoKeyPair
  grantId: string
  access: string
  refresh: string
  /** Milliseconds since 1970 UTC. */
  expires: number
}

/** An authorization that waits for its answer. */
export interface Waiting {
  broker: string
  clientId: string
  redirectUri: string
  verifier: string
  keys: CryptoKeyPair
  /** Milliseconds since 1970 UTC; after an hour nobody waits any more. */
  since: number
}

type Name = 'session' | 'waiting' | 'client'

const names: Name[] = ['session', 'waiting', 'client']

let opened: Promise<IDBDatabase> | undefined

function open(): Promise<IDBDatabase> {
  opened ??= new Promise<IDBDatabase>((resolve, reject) => {
    const r = indexedDB.open('aipassport', 1)
    r.onupgradeneeded = () => names.forEach((n) => r.result.createObjectStore(n))
    r.onsuccess = () => resolve(r.result)
    r.onerror = () => reject(r.error)
  }).catch((err) => {
    opened = undefined
    throw err
  })
  return opened
}

async function run<T>(name: Name, mode: IDBTransactionMode, step: (s: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const tx = (await open()).transaction(name, mode)
  const r = step(tx.objectStore(name))
  return new Promise((resolve, reject) => {
    tx.oncomplete = () => resolve(r.result)
    tx.onabort = tx.onerror = () => reject(tx.error)
  })
}

export const get = <T>(name: Name, key: string) => run<T | undefined>(name, 'readonly', (s) => s.get(key))
export const put = (name: Name, key: string, value: unknown) => run(name, 'readwrite', (s) => s.put(value, key))
export const drop = (name: Name, key: string) => run(name, 'readwrite', (s) => s.delete(key))

/** take reads and removes in one transaction: whoever comes second gets nothing. */
export async function take<T>(name: Name, key: string): Promise<T | undefined> {
  const tx = (await open()).transaction(name, 'readwrite')
  const s = tx.objectStore(name)
  const r = s.get(key)
  r.onsuccess = () => s.delete(key)
  return new Promise((resolve, reject) => {
    tx.oncomplete = () => resolve(r.result)
    tx.onabort = tx.onerror = () => reject(tx.error)
  })
}

/** sweep removes what waited in vain. */
export async function sweep(before: number): Promise<void> {
  await run('waiting', 'readwrite', (s) => {
    const r = s.openCursor()
    r.onsuccess = () => {
      const c = r.result
      if (!c) return
      if ((c.value as Waiting).since < before) c.delete()
      c.continue()
    }
    return r
  })
}
