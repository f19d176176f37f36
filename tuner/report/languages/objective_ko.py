"""Korean sentences for objectives other than accuracy, as `objective_en.py` has them in English."""

from __future__ import annotations

MORE = {
    "uncounted": "시도의 값이 이미지 수의 비율이 아니므로 신뢰 구간은 적지 않는다.",
    "interval_classes": "검증 이미지 모두 {images}장에서 클래스마다 따로 잰 값이므로, 이 균형 정확도의 95 % 신뢰 구간은 "
    "{low} ~ {high}이다. 여러 시도 중 가장 좋은 것을 이 이미지로 골랐으므로, 새로운 이미지에서는 이보다 조금 낮을 것이다.",
    "ties_classes": "다른 시도 {number}개 가운데 {trials}과(와)는 차이가 있다고 할 수 없다(차이의 95 % 신뢰 구간).",
    "ties_many_classes": "다른 시도 {number}개 가운데 {tied}개({trials} 등)와는 차이가 있다고 할 수 없다(차이의 95 % 신뢰 구간).",
    "ties_none_classes": "끝난 다른 시도 {number}개와는 우연보다 큰 차이가 있다(차이의 95 % 신뢰 구간).",
    "weighed": "학습할 때는 각 이미지의 손실에 그 클래스가 학습 이미지에서 드문 만큼 가중치를 주었다.",
}
NAMES = {"balanced_accuracy": "균형 정확도", "macro_f1": "매크로 F1", "val_loss": "손실", "top5": "상위 5개 정확도"}
FIGURE = {
    "no_accuracy": "값 없음",
    "asked": "질문: {source} 데이터에서 검증 {figure} 기준으로 가장 좋은 구성은 무엇인가? 대상 신경망: {networks}.",
    "best": "최고 기록은 {trial}: {network}, 검증 {figure} {accuracy}. 학습은 {epochs}, {time} 걸렸다.",
    "best_with": "최고 기록은 {trial}: {network}, 검증 {figure} {accuracy}. 설정은 {values}. 학습은 {epochs}, {time} 걸렸다.",
    "uncounted": "검증 {figure} 값은 이미지 수의 비율이 아니므로 신뢰 구간은 적지 않는다.",
    "interval": "검증 이미지 {images}장으로 잰 값이므로, 이 {figure}의 95 % 신뢰 구간(Wilson)은 {low} ~ {high}이다. "
    "여러 시도 중 가장 좋은 것을 이 이미지로 골랐으므로, 새로운 이미지에서는 이보다 조금 낮을 것이다.",
    "course_caption": "시작한 순서대로 본 각 시도의 검증 {figure} 및 그때까지의 최고 값.",
    "held_out": "각 시도는 검증 데이터로 평가했다. 검증 데이터는 학습 이미지의 {share} %이며, 어떤 시도도 이것으로 학습하지 않았다. "
    "따로 밝히지 않은 수치는 모두 검증 데이터의 값이다. 테스트 이미지로 학습하거나 고른 시도는 없다.",
    "value_last": "시도의 값은 마지막 에폭의 검증 {figure}이다.",
    "value_best": "시도의 값은 가장 좋은 에폭의 검증 {figure}이다.",
    "improved_times": "시도 {number}개 동안 최고 {figure} 기록이 {times} 나아졌다. 아래는 첫 시도와 {which}이며, 순서대로 적었다.",
    "most_accurate": "그중 가장 좋은 {number}개를 순서대로 적었다. 전체는 `tuner show` 명령으로 볼 수 있다.",
    "column_accuracy": "{figure}",
    "first_reached": "{figure} {value}. 이후 시도가 넘어야 할 기준이 되었다.",
    "new_best_doubtful": "{figure} {value}, {gap} 상승(이미지 {images}장에서는 우연일 수 있다): 새로운 최고 기록.",
    "new_best": "{figure} {value}, {gap} 상승: 새로운 최고 기록.",
    "as_good": "{figure} {value}, 변화 없음. 최고는 그대로 {before}.",
    "worse": "{figure} {value}, {gap} 하락. 최고는 그대로 {before}.",
    "reached": ", {figure} {accuracy}에서",
    "curves_caption": "모든 시도의 에폭별 검증 {figure}. 끝까지 학습하지 않은 시도는 따로 표시했다.",
    "parameters_caption": "각 시도의 매개변수 수 및 검증 {figure}.",
    "seconds_caption": "각 시도의 학습 시간(초) 및 검증 {figure}.",
    "parallel_caption": "선 하나가 시도 하나이고, 각 축에서의 높이가 그 하이퍼파라미터의 값이다. 밝을수록 좋다.",
    "slices_caption": "하이퍼파라미터 하나씩에 대한 각 시도의 검증 {figure}.",
    "p_val_axis": "검증 {figure}(%)",
    "p_course": "최고 {figure}의 변화",
    "p_curves": "모든 시도의 에폭별 검증 {figure}",
    "p_curves_some": "에폭별 검증 {figure}, 시도 {number}개 중 {shown}개",
    "p_size": "크기 및 {figure}",
    "p_time": "학습 시간 및 {figure}",
    "p_slices": "하이퍼파라미터별 {figure}",
}
LOSS = {
    "hand_lost": "손으로 정한 구성과 탐색의 비교: 미리 정한 {given} 중 최고는 {hand}, {hand_accuracy}. "
    "탐색의 최고는 {search}, {accuracy}로 {gap} 더 낮다.",
    "hand_won": "손으로 정한 구성과 탐색의 비교: 미리 정한 {given} 중 최고는 {hand}, {hand_accuracy}. "
    "탐색의 최고는 {search}, {accuracy}로 {gap} 더 높다.",
    "new_best": "{figure} {value}, {gap} 하락: 새로운 최고 기록.",
    "worse": "{figure} {value}, {gap} 상승. 최고는 그대로 {before}.",
    "outcome_best": "새 최고, {gap} 하락",
    "outcome_worse": "{gap} 상승",
    "pruned": "에폭 {epoch} 뒤에{reached} 가지치기되었다. 같은 에폭의 다른 시도보다 높았다{standing}.",
    "near_parameters": "최고와 0.01 이내({accuracy})이면서 매개변수가 {spent}개, 곧 최고 시도의 {share} %인 시도가 있다.",
    "near_seconds": "최고와 0.01 이내({accuracy})이면서 학습 시간이 {spent}초, 곧 최고 시도의 {share} %인 시도가 있다.",
    "p_val_axis": "검증 {figure}(이미지당 교차 엔트로피)",
}
