import globals from 'globals'
import neostandard, { plugins, resolveIgnoresFromGitignore } from 'neostandard'

export default [
  ...neostandard({ ts: true, ignores: resolveIgnoresFromGitignore() }),
  {
    rules: {
      // Coverage is earned, not waived.
      'no-warning-comments': ['error', { terms: ['c8 ignore', 'v8 ignore', 'istanbul ignore'], location: 'anywhere' }],
      // `void promise` says that nobody waits for it, on purpose.
      'no-void': ['error', { allowAsStatement: true }],
    },
  },
  {
    files: ['**/*.ts'],
    plugins: { '@typescript-eslint': plugins['typescript-eslint'].plugin },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/no-import-type-side-effects': 'error',
    },
  },
  {
    files: ['{examples/*,routes/inspector}/public/**/*.js'],
    languageOptions: { globals: globals.browser },
  },
  {
    // Reports go through the app's logger, or to the caller as an error.
    files: ['index.ts', '{lib,logs,metrics,plugins,routes,phoenix,client,testing}/**/*.ts'],
    rules: { 'no-console': 'error' },
  },
]
