import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["assets/vendor/", "node_modules/", ".venv/", "runs/", "build/"] },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2024, sourceType: "module" },
    rules: {
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": ["error", { destructuring: "all" }],
      "no-shadow": "error",
      "no-implicit-globals": "error",
      // x === x is how the painting loops ask for NaN: a call for each of a million numbers costs frames.
      "no-self-compare": "off",
    },
  },
  { files: ["assets/**/*.js", "site/**/*.js"], languageOptions: { globals: globals.browser } },
  {
    files: ["assets/**/*.js", "site/**/*.js"],
    rules: {
      "no-restricted-syntax": [
        "error",
        {
          selector: "CallExpression[callee.name=/^(t|later)$/] > :matches(TemplateLiteral, BinaryExpression, ConditionalExpression, Literal[raw=/^'/])",
          message: 'A text to translate should be written as t("…") with {name} for each value: tools/words.py finds no other form.',
        },
      ],
    },
  },
  { files: ["tests/js/**/*.js", "*.config.js"], languageOptions: { globals: globals.node } },
];
