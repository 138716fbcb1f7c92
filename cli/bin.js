#!/usr/bin/env node
// Not compiled, so that npm finds it when it links the command, before anything is built.
import './dist/cli/pastelli.js'
