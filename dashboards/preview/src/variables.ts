/** Dashboard variables: reading their options, and putting their values into queries, titles and links. */
import { getFieldDisplayValuesProxy, type DataFrame, type DisplayValue, type Field, type ScopedVars, type TimeRange } from '@grafana/data';
import type { Dashboard, VariableModel } from '@grafana/schema';
import { instantQuery, labelValues } from './prometheus';

export const ALL = '$__all';

type Option = { text: string; value: string };
/** `values` is what is chosen; [ALL] when everything is. */
export type Variable = { model: VariableModel; options: Option[]; values: string[] };
export type Scope = Record<string, Variable>;
export type BuiltIns = Record<string, string>;

const MACRO = /\$(\w+)|\$\{(\w+)((?:\.[^}:]+|\["[^"]+"\])*)(?::([^}]+))?\}/g;
const escapeRegex = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

/** `how` is Grafana's name of a format, or `promql`: the default inside a query. */
function format({ model, options, values }: Variable, how: string | undefined): string {
  const all = values[0] === ALL;
  if (how === 'queryparam') {
    return values.map((v) => `var-${model.name}=${encodeURIComponent(all ? 'All' : v)}`).join('&');
  }
  if (how === 'text') {
    return all ? 'All' : values.map((v) => options.find((o) => o.value === v)?.text ?? v).join(' + ');
  }
  if (all && model.allValue) {
    return model.allValue;
  }
  const list = all ? options.map((o) => o.value) : values;
  if (how === 'regex' || (how === 'promql' && (model.multi || model.includeAll))) {
    // Prometheus reads `\` in a string literal itself, so an escape for its regular expressions is doubled.
    const escaped = list.map((v) => (how === 'regex' ? escapeRegex(v) : escapeRegex(v).replace(/\\/g, '\\\\')));
    return escaped.length === 1 ? escaped[0]! : `(${escaped.join('|')})`;
  }
  const plain = list.join(',');
  return how === 'percentencode' ? encodeURIComponent(plain) : how === 'uriencode' ? encodeURI(plain) : plain;
}

/** The value of `__field.labels.queue`, `__data.fields["Last seen"]`, `__value.raw`, `__series.name` in a data link. */
function fromRow(name: string, path: string, scoped?: ScopedVars): string | undefined {
  const row = scoped?.__dataContext?.value as { frame: DataFrame; field: Field; rowIndex?: number; calculatedValue?: DisplayValue } | undefined;
  if (!row) {
    return undefined;
  }
  const { frame, field, rowIndex } = row;
  const [first, second = '', third] = [...path.matchAll(/\.([^.[]+)|\["([^"]+)"\]/g)].map((m) => m[1] ?? m[2] ?? '');
  const pick = (shown?: DisplayValue, part?: string) => String((part === 'raw' || part === 'numeric' ? shown?.numeric : shown?.text) ?? '');
  if (name === '__field' || name === '__series') {
    return first === 'labels' ? (field.labels?.[second] ?? '') : (field.config.displayNameFromDS ?? field.name);
  }
  if (name === '__value') {
    return pick(rowIndex === undefined ? row.calculatedValue : field.display?.(field.values[rowIndex]), first);
  }
  const fields = rowIndex === undefined ? {} : getFieldDisplayValuesProxy({ frame, rowIndex });
  return name === '__data' && first === 'fields' ? pick(fields[second], third) : undefined;
}

/** Unknown names stay as they are, so that a mistake is seen in the query's error. */
export function interpolate(text: string, scope: Scope, builtIns: BuiltIns, how?: string, scoped?: ScopedVars): string {
  return text.replace(MACRO, (whole, bare?: string, name?: string, path = '', own?: string) => {
    const key = bare ?? name ?? '';
    if (scope[key]) {
      return format(scope[key], own ?? how);
    }
    const row = fromRow(key, path, scoped);
    return builtIns[key] ?? (row && how === 'uriencode' ? encodeURI(row) : row) ?? whole;
  });
}

/** A variable's `/regex/` keeps what it matches; a group named `text` or `value`, or the first one, picks a part. */
function pickParts(found: string[], regex: string | undefined): Option[] {
  const [, body, flags] = /^\/(.*)\/(\w*)$/.exec(regex ?? '') ?? [undefined, regex, ''];
  const options = found.flatMap((whole) => {
    const match = new RegExp(body || '^.*$', flags?.replace('g', '')).exec(whole);
    const value = match?.groups?.value ?? match?.groups?.text ?? match?.[1] ?? match?.[0];
    return value === undefined ? [] : [{ value, text: match?.groups?.text ?? value }];
  });
  return options.filter((o, i) => options.findIndex((other) => other.value === o.value) === i);
}

function sort(options: Option[], order = 0): Option[] {
  const compare = new Intl.Collator('en', { numeric: order === 3 || order === 4 }).compare;
  return order ? options.sort((a, b) => compare(a.text, b.text) * (order % 2 ? 1 : -1)) : options;
}

async function read(model: VariableModel, scope: Scope, builtIns: BuiltIns, range: TimeRange): Promise<Option[]> {
  const query = typeof model.query === 'string' ? model.query : String(model.query?.query ?? '');
  const text = interpolate(query, scope, builtIns, 'promql').trim();
  if (model.type === 'custom' || model.type === 'interval') {
    const pairs = text.split(/\s*,\s*/).map((item) => item.split(/\s+:\s+/) as [string, string?]);
    return pairs.map(([name, value = name]) => ({ text: name, value }));
  }
  if (model.type !== 'query') {
    return [model.type === 'datasource' ? { text: 'Prometheus', value: 'prometheus' } : { text, value: text }];
  }
  const labels = /^label_values\(\s*(?:(.+)\s*,\s*)?([a-zA-Z_]\w*)\s*\)$/s.exec(text);
  const result = /^query_result\((.+)\)$/s.exec(text)?.[1];
  if (!labels && !result) {
    throw new Error(`Variable ${model.name}: the preview knows label_values() and query_result() only`);
  }
  const asText = ({ __name__ = '', ...rest }: Record<string, string>) => `${__name__}{${Object.entries(rest).map(([k, v]) => `${k}="${v}"`)}}`;
  const found = labels
    ? await labelValues(labels[2]!, labels[1], range.from.unix(), range.to.unix())
    : (await instantQuery(result!, range.to.unix())).map((s) => `${asText(s.metric)} ${s.values[0]?.[1]}`);
  return sort(pickParts(found, model.regex), model.sort);
}

/** `url` has the address's values, `usual` those of the server. One by one: a query may name variables before it. */
export async function readVariables(dashboard: Dashboard, url: URLSearchParams, usual: BuiltIns, builtIns: BuiltIns, range: TimeRange) {
  const scope: Scope = {};
  for (const model of dashboard.templating?.list ?? []) {
    const options = await read(model, scope, builtIns, range);
    const fixed = usual[model.name] ?? (['query', 'custom', 'interval'].includes(model.type) ? undefined : options[0]?.value);
    const saved = [fixed ?? model.current?.value ?? []].flat().map(String);
    const first = model.includeAll ? [ALL] : options.slice(0, 1).map((o) => o.value);
    const isKnown = fixed !== undefined || saved[0] === ALL || options.some((o) => saved.includes(o.value));
    const asked = url.getAll(`var-${model.name}`).map((v) => (v === 'All' && model.includeAll ? ALL : v));
    scope[model.name] = { model, options, values: asked.length ? asked : isKnown ? saved : first };
  }
  return scope;
}
