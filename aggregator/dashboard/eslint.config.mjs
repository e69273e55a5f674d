import { defineConfig } from "eslint/config";
import typescript from "typescript-eslint";

export default defineConfig(
  { ignores: ["dist", "**/*.mjs"] },
  ...typescript.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: { project: ["tsconfig.json"], tsconfigRootDir: import.meta.dirname },
    },
    files: ["src/**/*.{ts,tsx}"],
    rules: {
      // What nobody waits for is said with `void` where it is a statement.
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: false }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
    },
  },
);
