/** The writing examples that the Twin API's document prints, word for word: requests, and answers without the times that are of the day. */

const HEAT_TECH = { manufacturer: 'HeatTech Inc', model: 'HT-5000', installation_date: '2024-06-01' };

export const EXCHANGER = {
  id: 'heat-exchanger-1',
  name: 'Primary Heat Exchanger',
  description: 'Main heat exchanger for cooling system',
  type: 'equipment',
  metadata: HEAT_TECH,
};

export const EXCHANGER_CREATED = { ...EXCHANGER, status: 'active', sensor_count: 0, actuator_count: 0, sensors: [], actuators: [] };

export const EXCHANGER_PATCH = {
  name: 'Primary Heat Exchanger (Updated)',
  description: 'Main heat exchanger for cooling system with enhanced monitoring',
  status: 'active',
  metadata: { ...HEAT_TECH, last_maintenance: '2025-11-01' },
};

export const EXCHANGER_UPDATED = { ...EXCHANGER, ...EXCHANGER_PATCH, sensor_count: 2, actuator_count: 1 };

export const FLOW = {
  id: 'flow_rate',
  name: 'Flow Rate',
  description: 'Pump flow rate measurement',
  unit: 'L/min',
  current_value: 150.0,
  min_value: 0.0,
  max_value: 500.0,
};

export const FLOW_PATCH = { current_value: 155.5, min_value: 0.0, max_value: 600.0 };

export const SPEED = {
  id: 'speed_control',
  name: 'Speed Control',
  description: 'Pump speed control',
  type: 'continuous',
  current_state: 0.75,
};

export const SPEED_PATCH = { current_state: 0.85 };
