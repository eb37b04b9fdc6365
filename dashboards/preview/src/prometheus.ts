/** The reads of Prometheus' HTTP API that the preview needs. Times are Unix seconds. */

export interface Series {
  metric: Record<string, string>;
  values: Array<[number, string]>;
}

type Answer = { resultType: string; result: unknown };

async function get<T>(path: string, params: Record<string, string>, signal?: AbortSignal): Promise<T> {
  const response = await fetch(`/prometheus/api/v1/${path}?${new URLSearchParams(params)}`, { signal });
  const isJson = response.headers.get('Content-Type')?.includes('json');
  const body = isJson ? await response.json() : { error: `${response.status}: ${await response.text()}` };
  if (body.status !== 'success') {
    throw new Error(body.error);
  }
  return body.data;
}

export async function instantQuery(query: string, time: number, signal?: AbortSignal): Promise<Series[]> {
  const { resultType, result } = await get<Answer>('query', { query, time: String(time) }, signal);
  if (resultType === 'vector') {
    const samples = result as Array<{ metric: Series['metric']; value: [number, string] }>;
    return samples.map(({ metric, value }) => ({ metric, values: [value] }));
  }
  return [{ metric: {}, values: [result as [number, string]] }];
}

export async function rangeQuery(query: string, from: number, to: number, step: number, signal?: AbortSignal): Promise<Series[]> {
  // Aligned to the step as Grafana does it, so that a refresh does not make the lines jump.
  const [start, end] = [from, to].map((t) => String(Math.floor(t / step) * step));
  const { result } = await get<Answer>('query_range', { query, start: start!, end: end!, step: String(step) }, signal);
  return result as Series[];
}

export function labelValues(label: string, match: string | undefined, from: number, to: number): Promise<string[]> {
  return get(`label/${label}/values`, { start: String(from), end: String(to), ...(match && { 'match[]': match }) });
}
