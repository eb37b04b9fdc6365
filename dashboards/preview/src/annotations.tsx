/** Annotations from PromQL: read once for the dashboard, drawn on each timeseries as lines, a region and a mark. */
import { useLayoutEffect } from 'react';
import type { AnnotationQuery, Dashboard } from '@grafana/schema';
import type { UPlotConfigBuilder } from '@grafana/ui';
import { fill, intervals, type Context } from './frames';
import { rangeQuery } from './prometheus';
import { interpolate } from './variables';

/** From and to in milliseconds; a mark that is one moment ends where it starts. */
export type Mark = { from: number; to: number; color: string; text: string };
type PrometheusAnnotation = AnnotationQuery & { expr?: string; titleFormat?: string; textFormat?: string };

export async function readAnnotations(dashboard: Dashboard, { scope, builtIns, range, theme }: Context): Promise<Mark[]> {
  const { step, macros } = intervals(range, 500);
  const list = ((dashboard.annotations?.list ?? []) as PrometheusAnnotation[]).filter((a) => a.enable && a.expr);
  const found = list.map(async ({ expr = '', name, titleFormat = '', textFormat = '', iconColor }) => {
    const query = interpolate(expr, scope, { ...builtIns, ...macros }, 'promql');
    const color = theme.visualization.getColorByName(iconColor);
    const series = await rangeQuery(query, range.from.unix(), range.to.unix(), step);
    return series.flatMap((one) => {
      const text = [name, fill(titleFormat, one), fill(textFormat, one)].filter(Boolean).join(': ');
      const marks: Mark[] = [];
      // Samples above zero that follow each other within a step are one region.
      for (const at of one.values.filter(([, v]) => Number(v) > 0).map(([seconds]) => seconds * 1000)) {
        const last = marks.at(-1);
        const goesOn = last && at - last.to <= step * 1000;
        void (goesOn ? (last.to = at) : marks.push({ from: at, to: at, color, text }));
      }
      return marks;
    });
  });
  return (await Promise.all(found)).flat();
}

/** Lines and regions go on the canvas; the bar below the axis is an element, so that it has a hover text. */
export function AnnotationMarks({ config, marks }: { config: UPlotConfigBuilder; marks: Mark[] }) {
  useLayoutEffect(() => {
    config.addHook('draw', ({ ctx, bbox, root, valToPos }) => {
      root.querySelectorAll('.annotation').forEach((old) => old.remove());
      const [start, end, bottom] = [bbox.left, bbox.left + bbox.width, bbox.top + bbox.height];
      ctx.save();
      ctx.setLineDash([5, 5]);
      for (const { from, to, color, text } of marks) {
        const [left, right] = [from, to].map((t) => Math.min(Math.max(valToPos(t, 'x', true), start), end)) as [number, number];
        ctx.fillStyle = ctx.strokeStyle = color;
        ctx.globalAlpha = 0.08;
        ctx.fillRect(left, bbox.top, right - left, bbox.height);
        ctx.globalAlpha = 0.8;
        ctx.stroke(new Path2D(`M${left},${bbox.top}V${bottom}M${right},${bbox.top}V${bottom}`));
        const bar = Object.assign(document.createElement('div'), { className: 'annotation', title: text });
        const [x, y, width] = [left, bottom, right - left].map((pixels) => pixels / devicePixelRatio);
        bar.style.cssText = `left:${x}px;top:${y}px;width:${width}px;background:${color}`;
        root.querySelector('.u-wrap')?.append(bar);
      }
      ctx.restore();
    });
  }, [config, marks]);
  return null;
}
