// Checks dashboards against the types of @grafana/schema: `node check.mjs [file.json ...]`, ours by default.
//
// Each file becomes a TypeScript literal that must satisfy `Dashboard` below, so that an unknown name, a wrong type and a
// wrong word are errors with a line of the JSON. JSON imported as a module would not do: its words would be plain strings.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const here = dirname(fileURLToPath(import.meta.url));
const schema = '@grafana/schema/dist/esm/raw/composable';
const kinds = { timeseries: 'TimeSeries', stat: 'Stat', gauge: 'Gauge', bargauge: 'BarGauge', table: 'Table', text: 'Text', logs: 'Logs' };

// What the builders' SDK writes at its defaults and this version of Grafana no longer has (Grafana reads over it), and
// `definition`, which Grafana writes and its schema does not name.
const leftovers = `
type TableLeftover = { footer?: { show: boolean; reducer: string[]; fields?: string[]; countRows?: boolean } };
type VariableLeftover = { auto?: boolean; auto_min?: string; auto_count?: number; definition?: string };
`;

// Grafana's interfaces name enums, JSON holds their words; and a panel's options and field options depend on its type.
const types = `${leftovers}
import type { Dashboard as Raw, FieldConfig, FieldConfigSource, Panel, RowPanel, TableFieldOptions, VariableModel } from '@grafana/schema';
${Object.entries(kinds).map(([kind, name]) => `import type * as ${name} from '${schema}/${kind}/panelcfg/x/${name}PanelCfg_types.gen';`).join('\n')}

type Words<T> = T extends string ? \`\${T}\` : T extends (infer U)[] ? Words<U>[] : T extends object ? { [K in keyof T]: Words<T[K]> } : T;
type Known<T> = { [K in keyof T as string extends K ? never : K]: T[K] };
// Queries of Loki and Tempo are not part of @grafana/schema: what their data sources document.
interface LokiTarget {
  refId: string; expr: string; datasource: { type: 'loki'; uid: string }; queryType: 'range' | 'instant'; legendFormat?: string; maxLines?: number;
}
interface TempoTarget {
  refId: string; query: string; datasource: { type: 'tempo'; uid: string }; queryType: 'traceql'; limit?: number; filters: never[];
  tableType?: 'traces' | 'spans' | 'raw';
}
interface PrometheusTarget {
  refId: string; expr: string; datasource: { type: 'prometheus'; uid: string };
  instant?: boolean; range?: boolean; format?: 'time_series' | 'table' | 'heatmap'; legendFormat?: string; interval?: string; hide?: boolean;
  editorMode?: 'builder' | 'code'; exemplar?: boolean; intervalFactor?: number;
}
type Target = PrometheusTarget | LokiTarget | TempoTarget;
type Fields<Custom> = Omit<FieldConfigSource, 'defaults'> & { defaults: Omit<Known<FieldConfig>, 'custom'> & { custom?: Partial<Custom> } };
type Of<Type extends string, Options, Custom = Record<string, never>> = Words<
  Omit<Known<Panel>, 'type' | 'options' | 'targets' | 'fieldConfig' | 'title' | 'description' | 'gridPos' | 'id'> &
  Required<Pick<Known<Panel>, 'title' | 'description' | 'gridPos' | 'id'>>
> & { type: Type; options?: Words<Partial<Options>>; targets?: Target[]; fieldConfig?: Words<Fields<Custom>> };
type Row = Omit<Words<RowPanel>, 'panels' | 'type'> & { type: 'row'; panels: AnyPanel[] };
export type AnyPanel = Row
  | Of<'timeseries', TimeSeries.Options, TimeSeries.FieldConfig> | Of<'table', Table.Options & TableLeftover, TableFieldOptions>
  | Of<'stat', Stat.Options> | Of<'gauge', Gauge.Options> | Of<'bargauge', BarGauge.Options>
  | Of<'text', Text.Options> | Of<'logs', Logs.Options>;
type Annotation = Omit<Words<NonNullable<NonNullable<Raw['annotations']>['list']>[number]>, 'snapshotData'> & {
  expr?: string; step?: string; titleFormat?: string; textFormat?: string; tagKeys?: string;
};
export type Dashboard = Omit<Words<Raw>, 'panels' | 'uid' | 'title' | 'annotations' | 'links' | 'templating'> & {
  uid: string; title: string; panels: AnyPanel[]; annotations?: { list: Annotation[] };
  templating?: { list?: (Words<VariableModel> & VariableLeftover)[] };
  links?: (Omit<Words<NonNullable<Raw['links']>[number]>, 'placement'>)[];
};
`;

const files = process.argv.slice(2).length
  ? process.argv.slice(2).map((file) => resolve(file))
  : readdirSync(join(here, '..')).filter((file) => file.endsWith('.json')).map((file) => join(here, '..', file));
const sources = new Map([[join(here, 'check-types.ts'), types]]);
for (const file of files) {
  // One line of import, so that line 1 of the JSON is line 2 here.
  const json = readFileSync(file, 'utf8').trimEnd();
  sources.set(join(here, `check-${sources.size}.ts`), `import type { Dashboard } from './check-types'; export default\n${json} satisfies Dashboard;`);
}

const options = { strict: true, noEmit: true, skipLibCheck: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler, types: [] };
const host = ts.createCompilerHost(options);
const { getSourceFile, fileExists, readFile } = host;
host.getSourceFile = (name, ...rest) =>
  sources.has(name) ? ts.createSourceFile(name, sources.get(name), ts.ScriptTarget.ES2022, true) : getSourceFile.call(host, name, ...rest);
host.fileExists = (name) => sources.has(name) || fileExists.call(host, name);
host.readFile = (name) => sources.get(name) ?? readFile.call(host, name);
const program = ts.createProgram([...sources.keys()], options, host);
const faults = [...sources.keys()].flatMap((name, i) => {
  const source = program.getSourceFile(name);
  return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map((fault) => {
    const { line } = source.getLineAndCharacterOfPosition(fault.start ?? 0);
    const where = i ? `${files[i - 1]}:${line}` : `the types of check.mjs:${line + 1}`;
    return `${where}: ${ts.flattenDiagnosticMessageText(fault.messageText, '\n')}`;
  });
});
for (const fault of faults) {
  console.error(fault);
}
console.log(`${files.length} dashboards, ${faults.length} faults`);
process.exit(faults.length ? 1 : 0);
