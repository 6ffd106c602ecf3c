/** Lint rules, with the table of which room may import which. */
import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

/** A room may import itself, what is listed for it, and nothing else. */
const MAY_IMPORT = {
  geo: [],
  model: ["geo"],
  protocol: ["model", "geo"],
  net: ["protocol", "model", "geo"],
  i18n: [],
  store: ["protocol", "model", "geo"],
  segment: ["store", "protocol", "net", "model", "geo"],
  commands: ["store", "segment", "net", "protocol", "model", "geo"],
  tools: ["commands", "segment", "store", "protocol", "model", "geo"],
  map: ["tools", "commands", "segment", "store", "protocol", "model", "geo", "i18n"],
  ui: ["tools", "commands", "segment", "store", "protocol", "model", "geo", "i18n", "net/api", "net/http"],
};
const ROOMS = Object.keys(MAY_IMPORT);

const roomRules = ROOMS.map((room) => {
  const allowed = MAY_IMPORT[room];
  const patterns = ROOMS.filter((other) => other !== room && !allowed.includes(other)).map((other) => {
    const doors = allowed.filter((name) => name.startsWith(`${other}/`)).map((name) => name.split("/")[1]);
    const except = doors.length > 0 ? `(?!/(${doors.join("|")})(\\.ts)?$)` : "";
    return {
      regex: `^(\\.\\.?/)+${other}${except}(/|$)`,
      message: `${room} may not import ${other}; see the table in eslint.config.js.`,
    };
  });
  patterns.push({ regex: "^(\\.\\.?/)+main$", message: "Nothing imports main." });
  if (room !== "map") patterns.push({ regex: "^ol(/|$)", message: "map is the only importer of OpenLayers." });
  if (room !== "ui" && room !== "map") {
    patterns.push({
      regex: "^(react|react-dom|@mantine/.*|@tabler/.*)(/|$)",
      message: `${room} knows no React.`,
    });
  }
  return {
    files: [`src/${room}/**/*.{ts,tsx}`],
    rules: { "no-restricted-imports": ["error", { patterns }] },
  };
});

export default tseslint.config(
  { ignores: ["dist/**", "node_modules/**", "eslint.config.js"] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { attributes: false } }],
      "@typescript-eslint/consistent-type-imports": "error",
      "no-restricted-syntax": [
        "error",
        { selector: "MemberExpression[property.name='innerHTML']", message: "Text goes in as text." },
        { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: "Text goes in as text." },
      ],
    },
  },
  { files: ["src/**/*.tsx", "src/ui/**/*.ts"], ...reactHooks.configs.flat.recommended },
  {
    files: ["src/**/*.test.{ts,tsx}"],
    rules: { "@typescript-eslint/no-non-null-assertion": "off", "@typescript-eslint/unbound-method": "off" },
  },
  ...roomRules,
);
