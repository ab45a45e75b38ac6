/** A style sheet that TypeScript imports is its text, minified; see build.mjs. */
declare module '*.css' {
  const css: string;
  export default css;
}
