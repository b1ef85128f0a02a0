/** Which files and devices a source that was made over the API may name. */
import { describe, expect, it } from 'vitest';
import { DevicePolicy, FilePolicy } from '../../src/system/file-policy.ts';

describe('a file that a source of the API names', () => {
  const policy = new FilePolicy(['/etc/twinbox/certs', '/srv/pki/']);

  it.each(['/etc/twinbox/certs/ca.pem', '/etc/twinbox/certs/plant/ca.pem', '/srv/pki/..ca.pem', '/srv/pki/a/../b.pem'])(
    'may be %s',
    (file) => {
      expect(policy.denial(file)).toBeUndefined();
    },
  );

  it.each([
    '/etc/shadow',
    '/etc/twinbox/certs',
    '/etc/twinbox/certs/',
    '/etc/twinbox/certs-of-others/key.pem',
    '/etc/twinbox/certs/../admin.token',
    '/etc/twinbox/certs/..',
    'ca.pem',
    './certs/ca.pem',
    '../../etc/twinbox/certs/ca.pem',
    '',
    '/',
  ])('must not be "%s", and all of these are told the same', (file) => {
    expect(policy.denial(file)).toBe(new FilePolicy([]).denial('/nowhere'));
  });

  it('follows the folders of a changed configuration', () => {
    const changed = new FilePolicy(['/old']);
    changed.allow(['/new']);
    expect([changed.denial('/old/a'), changed.denial('/new/a')]).toEqual([expect.any(String), undefined]);
  });
});

describe('a serial device that a source of the API names', () => {
  const policy = new DevicePolicy(['/dev/serial/by-id', '/dev/ttyS1']);

  it.each(['/dev/serial/by-id/usb-FTDI_1', '/dev/ttyS1'])('may be %s', (device) => {
    expect(policy.denial(device)).toBeUndefined();
  });

  it.each(['/dev/ttyS10', '/dev/ttyS1/../watchdog', '/dev/serial/by-id/../../mem', '/dev/watchdog', '/etc/shadow', 'ttyS1', ''])(
    'must not be "%s", and all of these are told the same',
    (device) => {
      expect(policy.denial(device)).toBe(new DevicePolicy([]).denial('/nowhere'));
    },
  );

  it('follows the devices of a changed configuration', () => {
    const changed = new DevicePolicy(['/dev/ttyS0']);
    changed.allow(['/dev/ttyS1']);
    expect([changed.denial('/dev/ttyS0'), changed.denial('/dev/ttyS1')]).toEqual([expect.any(String), undefined]);
  });
});
