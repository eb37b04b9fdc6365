/** Annotations from PromQL: read once for the dashboard, drawn on each timeseries as a line, a region and a mark. */
import { useLayoutEffect } from 'react';
import { type GrafanaTheme2, type TimeRange } from '@grafana/data';
import type { AnnotationQuery, Dashboard } from '@grafana/schema';
import type { UPlotConfigBuilder } from '@grafana/ui';
import { rangeQuery } from './prometheus';
import { interpolate, type BuiltIns, type Scope } from './variables';

export interface Mark {
  /** Milliseconds. A mark that is one moment ends where it starts. */
  from: number;
  to: number;
  color: string;
  text: string;
}

type PrometheusAnnotation = AnnotationQuery & { expr?: string; step?: string; titleFormat?: string; textFormat?: string };

const isPrometheus = (a: PrometheusAnnotation) => a.enable && !a.builtIn && Boolean(a.expr ?? a.target);

export async function readAnnotations(dashboard: Dashboard, scope: Scope, builtIns: BuiltIns, range: TimeRange, theme: GrafanaTheme2): Promise<Mark[]> {
  const list = ((dashboard.annotations?.list ?? []) as PrometheusAnnotation[]).filter(isPrometheus);
  const [from, to] = [range.from.unix(), range.to.unix()];
  const step = Math.max(15, Math.ceil((to - from) / 500));
  const macros = { ...builtIns, __interval: `${step}s`, __rate_interval: `${Math.max(60, step + 15)}s`, __range: `${to - from}s` };
  const found = list.map(async (annotation) => {
    const asked = annotation.expr ?? (annotation.target as { expr?: string } | undefined)?.expr ?? '';
    const series = await rangeQuery(interpolate(asked, scope, macros, 'promql'), from, to, step);
    return series.flatMap(({ metric, values }) => {
      const fill = (text = '') => text.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label: string) => metric[label] ?? '');
      const text = [annotation.name, fill(annotation.titleFormat), fill(annotation.textFormat)].filter(Boolean).join(': ');
      return spans(values, step).map((span) => ({ ...span, text, color: theme.visualization.getColorByName(annotation.iconColor) }));
    });
  });
  return (await Promise.all(found)).flat();
}

/** Samples above zero that follow each other within a step are one span. */
function spans(values: Array<[number, string]>, step: number): Array<Pick<Mark, 'from' | 'to'>> {
  const result: Array<Pick<Mark, 'from' | 'to'>> = [];
  for (const [seconds] of values.filter(([, v]) => Number(v) > 0)) {
    const last = result.at(-1);
    if (last && seconds * 1000 - last.to <= step * 1000) {
      last.to = seconds * 1000;
    } else {
      result.push({ from: seconds * 1000, to: seconds * 1000 });
    }
  }
  return result;
}

/** Lines and regions go on the canvas; the triangle below the axis is an element, so that it has a hover text. */
export function AnnotationMarks({ config, marks }: { config: UPlotConfigBuilder; marks: Mark[] }) {
  useLayoutEffect(() => {
    config.addHook('draw', (u) => {
      u.root.querySelectorAll('.mark').forEach((old) => old.remove());
      const { ctx, bbox } = u;
      ctx.save();
      for (const { from, to, color, text } of marks) {
        const clamp = (x: number) => Math.min(Math.max(x, bbox.left), bbox.left + bbox.width);
        const [left, right] = [clamp(u.valToPos(from, 'x', true)), clamp(u.valToPos(to, 'x', true))];
        ctx.fillStyle = color;
        ctx.globalAlpha = 0.1;
        ctx.fillRect(left, bbox.top, right - left, bbox.height);
        ctx.globalAlpha = 0.8;
        ctx.strokeStyle = color;
        ctx.setLineDash([5, 5]);
        ctx.strokeRect(left, bbox.top, Math.max(right - left, 0.5), bbox.height);
        const mark = document.createElement('div');
        mark.className = 'mark';
        mark.title = text;
        const scale = devicePixelRatio;
        mark.style.cssText = `left:${left / scale}px;top:${(bbox.top + bbox.height) / scale}px;width:${(right - left) / scale}px;border-color:${color}`;
        u.root.querySelector('.u-wrap')?.append(mark);
      }
      ctx.restore();
    });
  }, [config, marks]);
  return null;
}
