// What coverage is asked of: the code that is published. Not the tests' own helpers, examples or benchmarks.
const PUBLISHED = '{index.ts,lib/**/*.ts,logs/**/*.ts,metrics/**/*.ts,plugins/**/*.ts,routes/**/*.ts,phoenix/**/*.ts,client/**/*.ts,cli/*.ts,testing/**/*.ts}'

export default () => PUBLISHED
