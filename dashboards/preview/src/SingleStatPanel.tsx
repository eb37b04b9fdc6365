/** Panels that show one value a series: stat, gauge, bargauge. */
import type { JSX } from 'react';
import {
  formattedValueToString, getDisplayValueAlignmentFactors, getFieldDisplayValues, VizOrientation,
  type DataFrame, type FieldConfigSource, type FieldDisplay, type GrafanaTheme2, type InterpolateFunction,
} from '@grafana/data';
import { BarGaugeDisplayMode, type BarGaugeNamePlacement, type BarGaugeValueMode, type Panel, type SingleStatBaseOptions } from '@grafana/schema';
import {
  BarGauge, BigValue, BigValueColorMode, BigValueGraphMode, BigValueJustifyMode, BigValueTextMode, DataLinksContextMenu, VizRepeater,
} from '@grafana/ui';

interface Options extends SingleStatBaseOptions {
  colorMode: BigValueColorMode;
  graphMode: BigValueGraphMode;
  justifyMode: BigValueJustifyMode;
  textMode: BigValueTextMode;
  wideLayout: boolean;
  displayMode: BarGaugeDisplayMode;
  valueMode: BarGaugeValueMode;
  namePlacement: BarGaugeNamePlacement;
  showUnfilled: boolean;
}

interface Props {
  panel: Panel;
  frames: DataFrame[];
  theme: GrafanaTheme2;
  width: number;
  height: number;
  replace: InterpolateFunction;
}

export function SingleStatPanel({ panel, frames, theme, width, height, replace }: Props) {
  const options = (panel.options ?? {}) as Partial<Options>;
  const isBars = panel.type === 'bargauge';
  const graphMode = panel.type === 'stat' ? (options.graphMode ?? BigValueGraphMode.Area) : BigValueGraphMode.None;
  const { orientation = VizOrientation.Auto } = options as { orientation?: VizOrientation };
  const bars = orientation === VizOrientation.Auto ? (width > height ? VizOrientation.Vertical : VizOrientation.Horizontal) : orientation;
  const getValues = () =>
    getFieldDisplayValues({
      data: frames,
      fieldConfig: (panel.fieldConfig ?? { defaults: {}, overrides: [] }) as unknown as FieldConfigSource,
      reduceOptions: { calcs: ['lastNotNull'], ...options.reduceOptions },
      replaceVariables: replace,
      theme,
      sparkline: graphMode !== BigValueGraphMode.None,
    });
  return (
    <VizRepeater
      source={frames}
      renderCounter={0}
      width={width}
      height={height}
      getValues={getValues}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      orientation={orientation}
      autoGrid={!isBars}
      itemSpacing={isBars ? 10 : 8}
      minVizHeight={isBars ? 16 : undefined}
      maxVizHeight={isBars ? 300 : undefined}
      renderValue={({ value, alignmentFactors, count, width, height }) => {
        const draw = (link: { onClick?: React.MouseEventHandler<HTMLElement>; className?: string }): JSX.Element => {
          const shared = { ...link, width, height, theme, alignmentFactors, value: value.display, text: options.text };
          if (panel.type === 'gauge') {
            return <Arc value={value} width={width} height={height} theme={theme} name={count > 1} />;
          }
          if (!isBars) {
            const { colorMode = BigValueColorMode.Value, justifyMode, textMode, wideLayout = true } = options;
            const more = { colorMode, graphMode, justifyMode, textMode, count, sparkline: value.sparkline };
            return <BigValue {...shared} {...more} disableWideLayout={!wideLayout} />;
          }
          const { displayMode = BarGaugeDisplayMode.Gradient, showUnfilled = true, valueMode, namePlacement } = options;
          const more = { displayMode, showUnfilled, namePlacement, valueDisplayMode: valueMode, orientation: bars, itemSpacing: 10, lcdCellWidth: 8 };
          return <BarGauge {...shared} {...more} field={value.field} display={value.view?.getFieldDisplayProcessor(value.colIndex ?? 0)} />;
        };
        return value.hasLinks && value.getLinks ? (
          <DataLinksContextMenu links={value.getLinks} style={{ height: '100%', width: '100%' }}>
            {({ openMenu, targetClassName }) => draw({ onClick: openMenu, className: targetClassName })}
          </DataLinksContextMenu>
        ) : draw({});
      }}
    />
  );
}

/** The published @grafana/ui has no gauge, so this arc is our own: the value, and absolute thresholds around it. */
function Arc({ value, width, height, theme, name }: { value: FieldDisplay; width: number; height: number; theme: GrafanaTheme2; name: boolean }) {
  const { display, field } = value;
  const [min, max] = [field.min ?? 0, field.max ?? 100];
  const bottom = height - (name ? 20 : 0);
  const radius = Math.max(10, Math.min(width / 2, bottom / 1.75) - 8);
  const [cx, cy] = [width / 2, bottom / 2 + radius * 0.2];
  const share = (v: number | null | undefined) => Math.min(1, Math.max(0, ((v ?? min) - min) / (max - min || 1)));
  const arc = (from: number, to: number, r: number, stroke: string | undefined, strokeWidth: number) => {
    const at = (part: number) => [0.85, 0.35].map((turn, i) => (i ? cy : cx) + r * Math.cos(Math.PI * (turn + part * 1.3)));
    return <path key={from} d={`M${at(from)}A${r},${r} 0 ${to - from > 0.77 ? 1 : 0} 1 ${at(to)}`} fill="none" stroke={stroke} strokeWidth={strokeWidth} />;
  };
  const text = formattedValueToString(display);
  const steps = field.thresholds?.steps ?? [];
  return (
    <svg width={width} height={height} role="img" aria-label={`${display.title ?? ''} ${text}`}>
      {arc(0, 1, radius * 0.83, theme.colors.background.secondary, radius * 0.22)}
      {arc(0, share(display.numeric), radius * 0.83, display.color, radius * 0.22)}
      {steps.map((step, i) => arc(share(step.value), steps[i + 1] ? share(steps[i + 1]!.value) : 1, radius, theme.visualization.getColorByName(step.color), 3))}
      <text x={cx} y={cy} textAnchor="middle" dominantBaseline="central" fill={display.color} fontSize={Math.min(radius * 0.5, (radius * 1.9) / text.length)}>{text}</text>
      {name && <text x={cx} y={height - 6} textAnchor="middle" fill={theme.colors.text.primary}>{display.title}</text>}
    </svg>
  );
}
