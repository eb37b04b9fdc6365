import { cpSync } from 'node:fs';
import { defineConfig, type Plugin } from 'vite';

// @grafana/ui asks for these files by address at run time, so they lie beside the page.
const FONTS: Record<string, string> = {
  'inter/Inter-Regular': 'inter/files/inter-latin-400-normal',
  'inter/Inter-Medium': 'inter/files/inter-latin-500-normal',
  'inter/Inter-Italic': 'inter/files/inter-latin-400-italic',
  'roboto/L0xTDF4xlVMF-BfR8bXMIhJHg45mwgGEFl0_3vrtSM1J-gEPT5Ese6hmHSh0mQ': 'roboto-mono/files/roboto-mono-latin-400-normal',
};

function publicFiles(): Plugin {
  return {
    name: 'public-files',
    closeBundle() {
      cpSync('node_modules/@grafana/ui/dist/public/img/icons', 'dist/public/build/img/icons', { recursive: true });
      for (const [to, from] of Object.entries(FONTS)) {
        cpSync(`node_modules/@fontsource/${from}.woff2`, `dist/public/fonts/${to}.woff2`);
      }
    },
  };
}

/** The code editor and the maps of @grafana/ui are never opened here; without them the build is half as long. */
function leaveOut(names: RegExp): Plugin {
  const nothing = '\0nothing';
  return {
    name: 'leave-out',
    enforce: 'pre',
    resolveId: (id) => (names.test(id) ? nothing : undefined),
    load: (id) => (id === nothing ? { code: 'export default {}', syntheticNamedExports: true } : undefined),
  };
}

export default defineConfig({
  plugins: [leaveOut(/^(@monaco-editor|monaco-editor|ol)(\/|$)/), publicFiles()],
  esbuild: { jsx: 'automatic', legalComments: 'none' },
  build: { chunkSizeWarningLimit: 8000, reportCompressedSize: false, target: 'es2022' },
});
