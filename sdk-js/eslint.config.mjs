import { defineConfig } from "eslint/config";
import typescript from "typescript-eslint";

export default defineConfig(
  { ignores: ["dist", "examples/plain", "**/*.mjs"] },
  ...typescript.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        project: ["tsconfig.json", "examples/tsconfig.json", "types-test/tsconfig.json"],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    files: ["src/**/*.ts", "examples/**/*.{ts,tsx}", "types-test/**/*.ts"],
    rules: {
      // What is sent when, and what nobody waits for, is said with `void` where it is a statement.
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: false }],
      // Limits are numbers that are inlined by name.
      "@typescript-eslint/no-unsafe-enum-comparison": "off",
      // A batch of events is a list of JSON texts.
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowArray: true },
      ],
    },
  },
);
