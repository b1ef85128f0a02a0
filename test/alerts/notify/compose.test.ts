/** What people and programs read: one line that says enough, a summary that names the worst, and nothing that begins a new header. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alertLetter, summaryLetter, testLetter } from '../../../src/alerts/notify/compose.ts';
import { secretsOf, shownError } from '../../../src/alerts/notify/secrets.ts';
import { MORNING_MS } from '../../support/manual-clock.ts';
import { letter, notice } from './letters.ts';

const ORIGIN = { box: 'box-1', tenant: 'default' };
const AT = { id: 's-1', nowMs: MORNING_MS };

describe('the letter of an alert', () => {
  it('says in its subject how bad it is, or that it is over', () => {
    expect(letter().subject).toBe('[warning] High Temperature: pump-101 temperature');
    expect(letter({ event: 'resolved', severity: 'critical' }).subject).toBe('[resolved] High Temperature: pump-101 temperature');
  });

  it('has every fact in its text, and a dash where there is none', () => {
    const { text } = alertLetter(notice({ value: null, threshold: [10, 20], dataSourceId: null }), 'box-1');
    expect(text).toBe(`temperature of pump-101 is 85.2, above 80

Event:     triggered
Severity:  warning
Rule:      High Temperature (ar-1)
Asset:     pump-101
Tag:       temperature
Value:     –
Threshold: 10 … 20
Time:      2026-01-06T10:00:00Z
Source:    –
Alert:     alert-1
Tenant:    default
Box:       box-1`);
  });

  it('has one line as a subject whatever rules and assets are called', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (ruleName, assetId) => {
        const { subject } = letter({ ruleName: `${ruleName}\r\nBcc: x@y`, assetId: `${assetId}\u2028\u0085\0` });
        expect(subject).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
        expect(subject.length).toBeLessThanOrEqual(200);
      }),
    );
  });
});

describe('the summary of a storm', () => {
  it('counts, gives the time that it spans, and names the ten worst', () => {
    const letters = [
      ...Array.from({ length: 12 }, (_, index) =>
        letter({ alertId: `w${index}`, assetId: `w${index}`, timeMs: (MORNING_MS + index * 1_000) as typeof MORNING_MS }),
      ),
      letter({ alertId: 'r', event: 'resolved', severity: 'info' }),
      letter({ alertId: 'c', assetId: 'boiler', severity: 'critical' }),
    ];
    const { subject, text, severity, document } = summaryLetter(letters, ORIGIN, AT);
    expect([subject, severity]).toEqual(['[critical] 14 further alerts', 'critical']);
    expect(text.split('\n')[0]).toBe(
      '14 further alerts from 2026-01-06T10:00:00Z to 2026-01-06T10:00:11Z: 13 triggered, 1 resolved (1 critical, 12 warning, 1 info).',
    );
    expect(text.split('\n').filter((line) => line.startsWith('- '))).toEqual([
      '- [critical] High Temperature: boiler temperature',
      ...Array.from({ length: 9 }, (_, index) => `- [warning] High Temperature: w${index} temperature`),
      '- and 4 more',
    ]);
    expect(document).toMatchObject({
      id: 's-1',
      event: 'summary',
      box: 'box-1',
      summary: { count: 14, triggered: 13, resolved: 1, severities: { critical: 1, warning: 12, info: 1 } },
    });
  });
});

describe('the letter that tries a channel', () => {
  it('says that nothing is the matter', () => {
    expect(testLetter('mes', ORIGIN, AT)).toMatchObject({
      event: 'test',
      subject: '[test] mes',
      document: { event: 'test', message: 'This is a test of the channel "mes". No alert is behind it.' },
    });
  });
});

describe('what is shown of an error', () => {
  it('is one line of at most 400 characters without the secrets', () => {
    expect(shownError(`a\r\n\tb hush c${'x'.repeat(1_000)}`, ['hush'])).toHaveLength(400);
    expect(shownError('a\r\n\tb hush-hush c', ['hush'])).toBe('a b ********-******** c');
  });

  it.each([
    ['a value of the query', 'boom SECRETTOKEN'],
    ['the value as it is read', 'boom a/b c=d'],
    ['the value as it stands', 'boom a%2Fb%20c%3Dd'],
    ['the whole query', 'no GET ?tok=SECRETTOKEN&x=a%2Fb%20c%3Dd here'],
    ['a part of the path', 'no such hook: T0KEN-in-path'],
    ['the whole path', 'Cannot POST /v1/T0KEN-in-path/in'],
    ['a login in Base64', `bad credentials ${Buffer.from('SECRETTOKEN').toString('base64')}`],
  ])('does not show %s of a URL that its receiver says again', (_name, said) => {
    const url = 'https://mes.plant/v1/T0KEN-in-path/in?tok=SECRETTOKEN&x=a%2Fb%20c%3Dd';
    const config = { type: 'webhook', url } as Parameters<typeof secretsOf>[0];
    const shown = shownError(said, secretsOf(config));
    expect(shown).toContain('********');
    expect(shown).not.toMatch(/SECRETTOKEN|T0KEN|a.*b.*c.*=|U0VDUkVU/);
  });
});
