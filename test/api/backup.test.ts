/** GET /v1/backup: bytes as they come, for the operator of the box alone, and never a part that looks like the whole. */
import { describe, expect, it } from 'vitest';
import { ApiClient } from '../support/api-client.ts';

function ask(client: ApiClient, method = 'GET', token = client.token): Promise<Response> {
  const request = new Request('http://box.test/v1/backup', { method, headers: { Authorization: `Bearer ${token}` } });
  return Promise.resolve(client.api.fetch(request));
}

describe('GET /v1/backup', () => {
  it('sends the archive under a name with its time, and lets go of the copy at the end', async () => {
    const client = new ApiClient();
    const response = await ask(client);
    expect(response.headers.get('content-type')).toBe('application/x-tar');
    expect(response.headers.get('content-disposition')).toMatch(/^attachment; filename="twinbox-\d{4}-\d\d-\d\dT\d{6}\w*Z\.tar"$/);
    expect(client.services.backupsOpen).toBe(1);
    expect(await response.text()).toBe('"tar archive"');
    expect(client.services.backupsOpen).toBe(0);
  });

  it('lets go of the copy when the caller goes before the end, or before the beginning', async () => {
    const client = new ApiClient();
    const reader = (await ask(client)).body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await (await ask(client)).body?.cancel();
    expect(client.services.backupsOpen).toBe(0);
  });

  it('breaks off where reading the copy fails', async () => {
    const client = new ApiClient();
    client.services.backupChunks = [Buffer.from('half'), new Error('the disk is bad')];
    await expect((await ask(client)).text()).rejects.toThrow('the disk is bad');
    expect(client.services.backupsOpen).toBe(0);
  });

  it('makes no copy for a HEAD', async () => {
    const client = new ApiClient();
    expect((await ask(client, 'HEAD')).status).toBe(200);
    expect(client.services.backupsOpen).toBe(0);
  });

  it('is not for the admin of a tenant: it holds the data of all', async () => {
    const client = new ApiClient();
    expect((await ask(client, 'GET', client.services.addToken(['admin'], { tenant: 'northwind' }))).status).toBe(403);
    expect(client.services.backupsOpen).toBe(0);
  });
});
