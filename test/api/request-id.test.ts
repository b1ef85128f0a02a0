/** The name of a request goes through from the client to the log. */
import { describe, expect, it } from 'vitest';
import { requestIdOf } from '../../src/api/request-id.ts';
import { ApiClient } from '../support/api-client.ts';

describe('the id of a request', () => {
  it('is the one that the client gives, in the header and in the body of a refusal', async () => {
    const response = await new ApiClient().get('/api/twins/none', { headers: { 'X-Request-Id': 'mes:7.order-9_a' } });
    expect(response.headers.get('x-request-id')).toBe('mes:7.order-9_a');
    expect(response.body.error.request_id).toBe('mes:7.order-9_a');
  });

  it.each([undefined, '', 'a b', 'x'.repeat(129), 'a\nb', 'é', '{}'])('is made anew in place of %j', (given) => {
    expect(requestIdOf(given)).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    expect(requestIdOf(given)).not.toBe(requestIdOf(given));
  });
});
