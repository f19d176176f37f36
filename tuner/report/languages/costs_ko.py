"""What a report in Korean says of a network's cost, of limits and of the front, in the order of costs_en.py."""

from __future__ import annotations

COSTS = {
    "best_size_macs": "{network}(매개변수 {parameters}개, 이미지 한 장에 곱셈-덧셈 {macs}번)",
    "reason_too_slow": "이미지 한 장을 처리하는 시간이 제한보다 길었다.",
    "cost_parameters": "매개변수 수",
    "cost_macs": "곱셈-덧셈 횟수",
    "cost_milliseconds": "이미지 한 장의 처리 시간",
    "column_parameters": "매개변수",
    "column_macs": "곱셈-덧셈",
    "column_milliseconds": "한 장에 걸린 시간(ms)",
    "front": "파레토 경계",
    "front_text": "경계에 있는 시도는 {number}개이다. 비용({cost})이 같거나 적은 다른 시도 중에 이보다 정확한 것은 없다. "
    "가장 작은 것은 {first}(정확도 {first_accuracy}, 비용 {first_cost}), "
    "가장 정확한 것은 {last}(정확도 {last_accuracy}, 비용 {last_cost}).",
    "front_one": "경계에 있는 시도는 {first} 하나이다(정확도 {first_accuracy}, 비용 {first_cost}). 기준이 되는 비용은 {cost}.",
    "front_rule": "각 시도는 비용이 비슷하거나 더 적은 시도와만 비교했으므로, 작은 신경망이 큰 신경망에 밀려 중단되지 않았다.",
    "front_caption": "각 시도의 정확도와 비용({cost}). 선은 경계를 잇는다.",
    "left_paused_front": "멈춘 채로 남긴 시도는 {number}개이다. 그중 하나가 경계에 올랐을 확률은 약 {chance} %이다.",
    "audited_front": "가지치기를 점검하려고 끝까지 학습한 시도는 {checked}개이며, 그중 경계에 올랐을 시도는 {won}개이다.",
    "pruned_pauses_front": "모든 시도는 첫 에폭들 뒤에 멈추었고, 아직 경계에 오를 가능성이 있는 것만 이어서 학습했다",
    "p_macs": "정확도와 곱셈-덧셈 횟수",
    "p_macs_axis": "이미지 한 장의 곱셈-덧셈 횟수",
    "p_milliseconds": "정확도와 처리 시간",
    "p_milliseconds_axis": "이미지 한 장의 처리 시간(ms)",
    "p_parameters": "정확도와 크기",
    "p_parameters_axis": "신경망의 매개변수 수",
}
