// SPDX-License-Identifier: Apache-2.0
import js from '@eslint/js';
import globals from 'globals';

const rules = {
  ...js.configs.recommended.rules,
  'consistent-return': 'off',
  eqeqeq: 'error',
  'max-len': ['error', {code: 110, ignoreUrls: true}],
  'no-var': 'error',
  'prefer-const': 'error',
  'no-eval': 'error',
  'no-implied-eval': 'error',
  'no-restricted-properties': ['error',
    {property: 'innerHTML', message: 'textContent'}, {property: 'outerHTML', message: 'textContent'}],
};

// Paths are those of the repository: `npm run lint` runs eslint from its top, so that it sees both folders.
export default [
  {files: ['**/*.js', '**/*.mjs'], linterOptions: {reportUnusedDisableDirectives: 'error'}, rules},
  {files: ['extension/*.js'],
    languageOptions: {globals: {...globals.browser, ...globals.webextensions}}},
  {files: ['tests/extension/**/*.{js,mjs}', 'installer/*.mjs'], rules: {'max-len': ['error', {code: 120}]},
    languageOptions: {globals: {...globals.node, ...globals.browser, ...globals.webextensions}}},
];
