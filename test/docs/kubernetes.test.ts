/** What the documents tell Kubernetes fits what an app does when it closes. */
import t from 'tap'
import { parseDocument } from 'yaml'
import { parseOptions } from '../../lib/options.ts'
import { documents } from '../support/documents.ts'

t.test('a pod is given the time that its streams take', async (t) => {
  const [block] = documents.find(({ path }) => path === 'docs/recipes/kubernetes.md')?.blocks.filter(({ language }) => language === 'yaml') ?? []
  const pod = parseDocument(block?.code ?? '')
  const path = ['spec', 'template', 'spec']
  const wait = Number(pod.getIn([...path, 'containers', 0, 'lifecycle', 'preStop', 'exec', 'command', 1]))
  const grace = Number(pod.getIn([...path, 'terminationGracePeriodSeconds']))
  t.ok(wait > 0)
  t.ok(grace > wait + parseOptions({}).drain / 1000, `${grace} s`)
})
