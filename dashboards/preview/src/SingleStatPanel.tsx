/** Panels that show one value a series: stat, gauge, bargauge. */
import type { JSX } from 'react';
import {
  formattedValueToString, getDisplayValueAlignmentFactors, getFieldDisplayValues, VizOrientation,
  type DataFrame, type FieldConfigSource, type FieldDisplay, type GrafanaTheme2, type InterpolateFunction,
} from '@grafana/data';
import { BarGaugeDisplayMode, type Panel } from '@grafana/schema';
import type { Options as BarOptions } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import { BarGauge, BigValue, BigValueGraphMode, DataLinksContextMenu, VizRepeater } from '@grafana/ui';

type Size = { width: number; height: number };
type Props = Size & { panel: Panel; frames: DataFrame[]; theme: GrafanaTheme2; replace: InterpolateFunction };
type Clickable = { onClick?: React.MouseEventHandler<HTMLElement>; className?: string };
type StatProps = Parameters<typeof BigValue>[0];
type Options = Partial<Pick<StatProps, 'colorMode' | 'graphMode' | 'justifyMode' | 'textMode'> & { wideLayout: boolean; orientation: VizOrientation }>;

export function SingleStatPanel({ panel, frames, theme, width, height, replace }: Props) {
  const { graphMode: graph = 'area', orientation = VizOrientation.Auto, wideLayout, ...stat } = (panel.options ?? {}) as Options;
  const { displayMode = BarGaugeDisplayMode.Gradient, showUnfilled = true, ...options } = (panel.options ?? {}) as Partial<BarOptions>;
  const isBars = panel.type === 'bargauge';
  const graphMode = (panel.type === 'stat' ? graph : 'none') as BigValueGraphMode;
  const fieldConfig = (panel.fieldConfig ?? { defaults: {}, overrides: [] }) as unknown as FieldConfigSource;
  const reduceOptions = { calcs: ['lastNotNull'], ...options.reduceOptions };
  const sparkline = graphMode !== BigValueGraphMode.None;
  const getValues = () => getFieldDisplayValues({ data: frames, fieldConfig, reduceOptions, replaceVariables: replace, theme, sparkline });
  type One = Parameters<VizRepeater<FieldDisplay, StatProps['alignmentFactors']>['props']['renderValue']>[0];
  const draw = ({ value, count, orientation, ...shared }: One, link: Clickable): JSX.Element => {
    const all = { ...shared, ...link, theme, value: value.display, text: options.text };
    if (panel.type === 'gauge') {
      return <Arc {...shared} value={value} theme={theme} name={count > 1} />;
    }
    if (isBars) {
      const more = { displayMode, showUnfilled, valueDisplayMode: options.valueMode, orientation, itemSpacing: 10, lcdCellWidth: 8 };
      return <BarGauge {...all} {...more} field={value.field} display={value.view?.getFieldDisplayProcessor(value.colIndex ?? 0)} />;
    }
    const { colorMode = 'value' as StatProps['colorMode'], justifyMode, textMode = 'auto' as StatProps['textMode'] } = stat;
    const more = { colorMode, justifyMode, textMode, graphMode, count, sparkline: value.sparkline };
    return <BigValue {...all} {...more} disableWideLayout={wideLayout === false} />;
  };
  return (
    <VizRepeater
      {...{ source: frames, renderCounter: 0, width, height, orientation, getValues }}
      {...(isBars ? { itemSpacing: 10, minVizHeight: 16, maxVizHeight: 300 } : { itemSpacing: 8, autoGrid: true })}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={(one) =>
        one.value.hasLinks && one.value.getLinks ? (
          <DataLinksContextMenu links={one.value.getLinks} style={{ height: '100%', width: '100%' }}>
            {({ openMenu, targetClassName }) => draw(one, { onClick: openMenu, className: targetClassName })}
          </DataLinksContextMenu>
        ) : draw(one, {})
      }
    />
  );
}

/** The published @grafana/ui has no gauge, so this arc is our own: the value, and absolute thresholds around it. */
function Arc({ value: { display, field }, width, height, theme, name }: Size & { value: FieldDisplay; theme: GrafanaTheme2; name: boolean }) {
  const [min, max] = [field.min ?? 0, field.max ?? 100];
  const bottom = height - (name ? 20 : 0);
  const radius = Math.max(10, Math.min(width / 2, bottom / 1.75) - 8);
  const [cx, cy] = [width / 2, bottom / 2 + radius * 0.2];
  const share = (v: number | null | undefined) => Math.min(1, Math.max(0, ((v ?? min) - min) / (max - min || 1)));
  const arc = (from: number, to: number, r: number, stroke: string | undefined, strokeWidth: number) => {
    const at = (part: number) => [0.85, 0.35].map((turn, i) => (i ? cy : cx) + r * Math.cos(Math.PI * (turn + part * 1.3)));
    const d = `M${at(from)}A${r},${r} 0 ${to - from > 0.77 ? 1 : 0} 1 ${at(to)}`;
    return <path key={from} d={d} fill="none" stroke={stroke} strokeWidth={strokeWidth} />;
  };
  const text = { textAnchor: 'middle', x: cx, fill: display.color } as const;
  const [label, steps] = [formattedValueToString(display), field.thresholds?.steps ?? []];
  const color = (index: number) => theme.visualization.getColorByName(steps[index]!.color);
  return (
    <svg width={width} height={height}>
      {arc(0, 1, radius * 0.83, theme.colors.background.secondary, radius * 0.22)}
      {arc(0, share(display.numeric), radius * 0.83, display.color, radius * 0.22)}
      {steps.map((step, i) => arc(share(step.value), steps[i + 1] ? share(steps[i + 1]!.value) : 1, radius, color(i), 3))}
      <text {...text} y={cy} dominantBaseline="central" fontSize={Math.min(radius * 0.5, (radius * 1.9) / label.length)}>{label}</text>
      {name && <text {...text} y={height - 6} fontSize={13}>{display.title}</text>}
    </svg>
  );
}
