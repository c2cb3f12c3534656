// Six signals of a public repository, by GitHub's REST API without a credential.

/** A problem that the person can do something about. */
export class Trouble extends Error {}

const name = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})\/[A-Za-z0-9._-]{1,100}$/

/** parse takes owner/repo, and the address of a repository's page. */
export function parse(text) {
  const t = text.trim().replace(/^https?:\/\/(www\.)?github\.com\//i, '').replace(/\.git$/, '').replace(/\/+$/, '')
  if (!name.test(t) || /^\.{1,2}$/.test(t.split('/')[1])) throw new Trouble('Write it as owner/repo, like golang/go.')
  return t
}

/** Lists end at one page of a hundred: 100 means a hundred or more. */
const page = 100

export async function signals(base, repo, now, signal) {
  const root = `${new URL(base).href.replace(/\/$/, '')}/repos/${repo}`
  const since = new Date(now - 30 * 24 * 3600 * 1000).toISOString()
  const get = (path) => read(root + path, signal)
  const [about, commits, issues, pulls, branches] = await Promise.all([
    get(''),
    get(`/commits?per_page=${page}&since=${encodeURIComponent(since)}`),
    get(`/issues?state=open&per_page=${page}`),
    get(`/pulls?state=open&per_page=${page}`),
    get(`/branches?per_page=${page}`),
  ])
  const count = (list) => (Array.isArray(list) ? list.length : 0)
  return {
    stars: Number(about.stargazers_count) || 0,
    pushed: typeof about.pushed_at === 'string' ? about.pushed_at : '',
    commits: count(commits),
    issues: count(Array.isArray(issues) ? issues.filter((i) => !i.pull_request) : []),
    pulls: count(pulls),
    branches: count(branches),
    description: String(about.description ?? '').slice(0, 300),
    language: String(about.language ?? '').slice(0, 60),
  }
}

async function read(url, signal) {
  let answer
  try {
    answer = await fetch(url, { headers: { Accept: 'application/vnd.github+json' }, signal })
  } catch (err) {
    if (err.name === 'AbortError') throw err
    throw new Trouble('GitHub could not be reached.')
  }
  if (answer.status === 409) return [] // an empty repository has no commits
  if (answer.status === 404) throw new Trouble('GitHub knows no public repository of that name.')
  if (answer.status === 429 || (answer.status === 403 && answer.headers.get('x-ratelimit-remaining') === '0')) {
    throw new Trouble('GitHub lets an address ask 60 times an hour without an account, and that is used up. Try again later.')
  }
  if (!answer.ok) throw new Trouble(`GitHub answered ${answer.status}.`)
  return answer.json()
}
